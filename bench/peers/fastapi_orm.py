"""FastAPI + SQLAlchemy's async ORM, the usual way: a database session and a commit a request.

Run by uvicorn with one worker. No authentication. Left out in the peer's favour: reading the chat
session first, and the refresh after the commit that many tutorials have.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import DateTime, ForeignKey, String, Text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

URL = os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+asyncpg:")
engine = create_async_engine(URL, pool_size=20, max_overflow=12)
new_session = async_sessionmaker(engine, expire_on_commit=False)


def now() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    pass


class ChatSession(Base):
    __tablename__ = "chat_sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class ChatMessage(Base):
    __tablename__ = "chat_messages"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("chat_sessions.id"), index=True)
    client_message_id: Mapped[str] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class SessionOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    created_at: datetime


class MessageIn(BaseModel):
    client_message_id: str = Field(max_length=64)
    text: str = Field(min_length=1, max_length=16_384)


class MessageOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    session_id: UUID
    client_message_id: str
    text: str
    created_at: datetime


async def database() -> AsyncIterator[AsyncSession]:
    async with new_session() as db:
        yield db  # noqa: ASYNC119 - FastAPI makes a context manager of a dependency


Database = Annotated[AsyncSession, Depends(database)]


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.post("/sessions", response_model=SessionOut, status_code=201)
async def create_session(db: Database) -> ChatSession:
    session = ChatSession()
    db.add(session)
    await db.commit()
    return session


@app.post("/sessions/{session_id}/messages", response_model=MessageOut, status_code=201)
async def send_message(session_id: UUID, body: MessageIn, db: Database) -> ChatMessage:
    message = ChatMessage(session_id=session_id, **body.model_dump())
    db.add(message)
    try:
        await db.commit()
    except IntegrityError:
        raise HTTPException(404, "no such session") from None
    return message
