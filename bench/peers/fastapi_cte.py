"""FastAPI + asyncpg, as an expert would: one statement writes message, event and counter.

Run by uvicorn with one worker. No authentication. The statement is its own transaction: one round
trip. The answer goes out as the bytes Pydantic makes, without FastAPI's second validation.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg  # type: ignore[import-untyped]
from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel, Field

TABLES = """
CREATE TABLE IF NOT EXISTS chat_sessions (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    last_seq bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
CREATE TABLE IF NOT EXISTS chat_messages (
    id uuid PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES chat_sessions,
    seq bigint NOT NULL,
    client_message_id varchar(64) NOT NULL,
    text text NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (session_id, seq),
    UNIQUE (session_id, client_message_id)
);
CREATE TABLE IF NOT EXISTS chat_events (
    pos bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id uuid NOT NULL,
    seq bigint NOT NULL,
    type varchar(64) NOT NULL,
    message_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (session_id, seq)
);
"""
SEND = """
WITH session AS (
    UPDATE chat_sessions SET last_seq = last_seq + 1, updated_at = now() WHERE id = $1
    RETURNING id, last_seq, updated_at, uuidv7() AS message_id
), message AS (
    INSERT INTO chat_messages (id, session_id, seq, client_message_id, text, created_at)
    SELECT message_id, id, last_seq, $2, $3, updated_at FROM session
), event AS (
    INSERT INTO chat_events (session_id, seq, type, message_id, created_at)
    SELECT id, last_seq, 'message.created', message_id, updated_at FROM session
)
SELECT message_id AS id, last_seq AS seq, updated_at AS created_at FROM session
"""


class MessageIn(BaseModel):
    client_message_id: str = Field(max_length=64)
    text: str = Field(min_length=1, max_length=16_384)


class MessageOut(BaseModel):
    id: UUID
    session_id: UUID
    seq: int
    client_message_id: str
    text: str
    created_at: datetime


state: dict[str, Any] = {}


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=32, max_size=32) as pool:
        await pool.execute(TABLES)
        state["pool"] = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/sessions", status_code=201)
async def create_session() -> Any:
    row = await state["pool"].fetchrow("INSERT INTO chat_sessions DEFAULT VALUES RETURNING id")
    return {"id": row["id"]}


@app.post("/sessions/{session_id}/messages", status_code=201)
async def send_message(session_id: UUID, body: MessageIn) -> Response:
    pool = state["pool"]
    try:
        row = await pool.fetchrow(SEND, session_id, body.client_message_id, body.text)
    except asyncpg.UniqueViolationError:
        raise HTTPException(409, "this client_message_id was used before") from None
    if row is None:
        raise HTTPException(404, "no such session")
    sent = MessageOut.model_construct(
        id=row["id"],
        session_id=session_id,
        seq=row["seq"],
        client_message_id=body.client_message_id,
        text=body.text,
        created_at=row["created_at"],
    )
    return Response(sent.model_dump_json(), 201, media_type="application/json")
