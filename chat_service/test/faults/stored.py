"""Reads what a run has stored, by SQL of its own: the checks must not trust the code they check."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import JSON, RowMapping, Uuid, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from chat_service.test.faults.records import History, StoredEvent, StoredMessage, StoredSession

DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
SNAPSHOT: Final = {
    "sqlite": "BEGIN",
    "postgresql": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
}
"""What makes all reads of a connection see one state."""

MESSAGES: Final = text(
    "SELECT session_id, id, seq, public_seq, author_slot, client_message_id FROM chat_messages"
).columns(session_id=Uuid, id=Uuid)
EVENTS: Final = text(
    "SELECT workspace_id, session_id, pos, seq, public_seq, audience, id, type, message_id, data"
    " FROM chat_events"
).columns(workspace_id=Uuid, session_id=Uuid, id=Uuid, message_id=Uuid, data=JSON)
SESSIONS: Final = text(
    "SELECT id, customer_id, client_session_id, status, assignee_id, last_seq, last_public_seq"
    " FROM chat_sessions"
).columns(id=Uuid, customer_id=Uuid, assignee_id=Uuid)


async def read_history(url: str) -> History:
    """The stored half of a history, as one snapshot of a SQLite file or PostgreSQL database.

    The service may be running meanwhile. What clients noted is added by `dataclasses.replace`.
    """
    address = make_url(url)
    backend = address.get_backend_name()
    engine = create_async_engine(address.set(drivername=DRIVERS[backend]), poolclass=NullPool)
    async with engine.connect() as db:
        await db.exec_driver_sql(SNAPSHOT[backend])
        return History(
            messages=tuple(StoredMessage(*row) for row in await db.execute(MESSAGES)),
            events=tuple(_event(row) for row in (await db.execute(EVENTS)).mappings()),
            sessions=tuple(StoredSession(*row) for row in await db.execute(SESSIONS)),
        )


def _event(row: RowMapping) -> StoredEvent:
    columns = dict(row)
    assignee = _assignee(columns.pop("data"))
    return StoredEvent(**columns, assignee=assignee)


def _assignee(data: dict[str, Any]) -> tuple[UUID | None, UUID | None] | None:
    """Who held the session before and after the event, if it changed hands."""
    moved = data.get("changes", {}).get("assignee")
    if moved is None:
        return None
    before, after = (None if agent is None else UUID(agent) for agent in moved)
    return before, after
