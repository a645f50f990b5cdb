"""The one log: record facts, append them with their numbers, read them again.

Owns `seq`, `public_seq` and `pos`. `record` is for services; `append` is used by
`events.transaction` alone, so that nothing can follow the lock on `feed_head` but the commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, Row, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.errors import CursorAhead, CursorExpired, CursorInvalid, CursorMismatch
from chat_service.events.schema import Event
from chat_service.events.source import Growth, moment
from chat_service.model import ChatEvent, FeedHead, table_of
from chat_service.schema import (
    Audience,
    AuthorType,
    Cursor,
    CursorKind,
    EventId,
    MessageId,
    SessionId,
    WorkspaceId,
    fence,
)

RECORDED: Final = "recorded events"
EVENTS: Final = table_of(ChatEvent)
HEAD: Final = table_of(FeedHead)


class Numbered(Protocol):
    """A locked session, whose counters give an event its numbers."""

    last_seq: int
    last_public_seq: int
    version: int
    updated_at: datetime
    last_activity_at: datetime


@dataclass(slots=True)
class Appended:
    """A row of the log as it was written, in the form in which it is read; nobody changes it."""

    workspace_id: WorkspaceId
    pos: int
    session_id: SessionId | None
    audience: Audience
    seq: int | None
    public_seq: int | None
    id: EventId
    type: str
    actor_type: AuthorType
    actor_id: UUID | None
    message_id: MessageId | None
    data: dict[str, Any]
    created_at: datetime


def record(db: AsyncSession, event: Event, session: Numbered | None = None) -> None:
    """Keep a fact for the end of the transaction, numbered from its locked session.

    Events of audience `workspace` take no number of a session. `last_activity_at` moves with
    public events only.
    """
    seq = public_seq = None
    if session is not None and event.audience is not Audience.WORKSPACE:
        session.last_seq += 1
        session.version += 1
        session.updated_at = event.at
        seq = session.last_seq
        if event.audience is Audience.PUBLIC:
            session.last_public_seq += 1
            session.last_activity_at = event.at
            public_seq = session.last_public_seq
    recorded = db.info.setdefault(RECORDED, [])
    recorded.append(
        {
            "workspace_id": event.workspace_id,
            "session_id": event.session_id,
            "audience": event.audience,
            "seq": seq,
            "public_seq": public_seq,
            "id": event.id,
            "type": event.type,
            "actor_type": event.actor.type,
            "actor_id": event.actor.id,
            "message_id": event.message_id,
            "data": event.data(),
            "created_at": event.at,
        }
    )


_INSERT: Final = insert(EVENTS)
_ADVANCE: Final = (
    update(HEAD)
    .where(HEAD.c.workspace_id == bindparam("workspace"))
    .values(
        pos=HEAD.c.pos + bindparam("count"), before_id=HEAD.c.last_id, last_id=bindparam("last")
    )
    .returning(HEAD.c.pos, HEAD.c.before_id)
)


async def append(db: AsyncSession) -> Growth | None:
    """Write what was recorded, taking `feed_head` as the last lock before the commit."""
    rows: list[dict[str, Any]] = db.info.pop(RECORDED, [])
    if not rows:
        return None
    workspace_id = rows[0]["workspace_id"]
    if any(row["workspace_id"] != workspace_id for row in rows):
        raise RuntimeError("one transaction names one workspace")
    connection, began = await db.connection(), moment()
    head = await connection.execute(
        _ADVANCE, {"workspace": workspace_id, "count": len(rows), "last": rows[-1]["id"]}
    )
    end, before = head.one()
    for pos, row in enumerate(rows, end - len(rows) + 1):
        row["pos"] = pos
    await connection.execute(_INSERT, rows)
    return Growth(workspace_id, before, [Appended(**row) for row in rows], began)


class Stream:
    """A log as one caller may read it: a workspace's, or a session's for one audience."""

    def __init__(
        self, kind: CursorKind, workspace_id: WorkspaceId, session_id: SessionId | None = None
    ) -> None:
        self.kind = kind
        self.workspace_id = workspace_id
        self.session_id = session_id

    @property
    def number(self) -> ColumnElement[int]:
        """The column that counts this log."""
        columns = {
            CursorKind.STAFF: EVENTS.c.seq,
            CursorKind.PUBLIC: EVENTS.c.public_seq,
            CursorKind.WORKSPACE: EVENTS.c.pos,
        }
        return columns[self.kind]

    def rows(self) -> ColumnElement[bool]:
        """The rows of this log."""
        here = EVENTS.c.workspace_id == self.workspace_id
        if self.kind is CursorKind.WORKSPACE:
            return here
        return here & (EVENTS.c.session_id == self.session_id) & self.number.is_not(None)

    def cursor(self, number: int, event_id: Any) -> Cursor:
        """The cursor behind an event; at 0 it needs no event."""
        return Cursor(self.kind, number, fence(event_id) if number else None)

    def parse(self, text: str) -> Cursor:
        """Read a cursor of this log; raises CursorInvalid for any other kind."""
        try:
            cursor = Cursor.parse(text)
        except ValueError as error:
            raise CursorInvalid(str(error)) from None
        if cursor.kind is not self.kind:
            raise CursorInvalid("the cursor belongs to another log")
        return cursor


async def read(
    db: AsyncSession, stream: Stream, after: Cursor, *, limit: int
) -> Sequence[Row[Any]]:
    """The events behind a cursor, at most `limit`, oldest first.

    The read begins with the row the cursor stands on and compares its fence. Raises CursorAhead,
    CursorMismatch (the log was rewound) and CursorExpired (rows were removed by retention; of a
    workspace any below `floor` may be, so no cursor below it can be trusted).
    """
    if stream.kind is CursorKind.WORKSPACE and after.position < await _floor(db, stream):
        raise CursorExpired()
    query = (
        select(EVENTS)
        .where(stream.rows(), stream.number >= after.position)
        .order_by(stream.number)
        .limit(limit + 1)
    )
    rows = (await db.execute(query)).all()
    first = getattr(rows[0], str(stream.number.key)) if rows else None
    if after.position == 0:
        if first not in (None, 1):
            raise CursorExpired()
        return rows[:limit]
    if first is None:
        raise CursorAhead()
    if first != after.position:
        raise CursorExpired()
    if after.fence is not None and fence(rows[0].id) != after.fence:
        raise CursorMismatch()
    return rows[1:]


async def read_on(
    db: AsyncSession, workspace_id: WorkspaceId, pos: int, *, limit: int
) -> Sequence[Row[Any]]:
    """The events of a workspace behind a position that is kept beside the log, oldest first.

    There is nothing to compare: whatever sets the log back takes such a position along. The events
    end before a missing one, and where that is the first, RuntimeError is raised: it must not be
    passed over in silence.
    """
    query = (
        select(EVENTS)
        .where(EVENTS.c.workspace_id == workspace_id, EVENTS.c.pos > pos)
        .order_by(EVENTS.c.pos)
        .limit(limit)
    )
    rows = (await db.execute(query)).all()
    whole = [row for expected, row in enumerate(rows, pos + 1) if row.pos == expected]
    if rows and not whole:
        raise RuntimeError(f"the log has no event {pos + 1}")
    return whole


async def _floor(db: AsyncSession, stream: Stream) -> int:
    query = select(HEAD.c.floor).where(HEAD.c.workspace_id == stream.workspace_id)
    return await db.scalar(query) or 0


async def head(db: AsyncSession, stream: Stream) -> Cursor:
    """Where a log ends now."""
    query = select(EVENTS.c.id, stream.number).where(stream.rows())
    last = (await db.execute(query.order_by(stream.number.desc()).limit(1))).first()
    return stream.cursor(last[1], last[0]) if last else stream.cursor(0, None)
