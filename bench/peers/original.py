"""The stack this service was first described with: Hypercorn, Quart, quart-schema, the async ORM.

Run by Hypercorn with one worker. No authentication; a database session and a commit a request.
"""

import os
from datetime import UTC, datetime
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field
from quart import Quart, abort
from quart_schema import QuartSchema, validate_request, validate_response
from sqlalchemy import DateTime, ForeignKey, String, Text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
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


app = Quart(__name__)
QuartSchema(app, conversion_preference="pydantic")


@app.before_serving
async def create_tables() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


@app.after_serving
async def close() -> None:
    await engine.dispose()


@app.post("/sessions")
@validate_response(SessionOut, 201)
async def create_session() -> tuple[SessionOut, int]:
    session = ChatSession()
    async with new_session() as db:
        db.add(session)
        await db.commit()
    return SessionOut.model_validate(session), 201


@app.post("/sessions/<uuid:session_id>/messages")
@validate_request(MessageIn)
@validate_response(MessageOut, 201)
async def send_message(session_id: UUID, data: MessageIn) -> tuple[MessageOut, int]:
    message = ChatMessage(session_id=session_id, **data.model_dump())
    async with new_session() as db:
        db.add(message)
        try:
            await db.commit()
        except IntegrityError:
            abort(404)
    return MessageOut.model_validate(message), 201
