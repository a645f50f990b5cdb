"""Write messages: `send` through the lane, `write` inside any transaction.

`send` is the one door to the lane. `write` is what a batch runs: set-based statements in one form on
both databases, in the order of locks that holds everywhere.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any, Final

from sqlalchemy import Select, and_, bindparam, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service import metrics
from chat_service.agents import queries as agents
from chat_service.config import Limits
from chat_service.errors import (
    ServiceError,
)
from chat_service.events import log
from chat_service.events.group_commit import Lanes
from chat_service.events.transaction import transaction
from chat_service.messages import queries
from chat_service.messages.batch import (
    Batch,
    Known,
    ParticipantKey,
    agents_concerned,
    staff_writing,
)
from chat_service.messages.drafts import Draft, Key, Sent
from chat_service.model import ChatMessage, table_of
from chat_service.schema import Clock, Visibility, WorkspaceId
from chat_service.server.overload import CUSTOMERS
from chat_service.sessions import queries as sessions
from chat_service.sessions.participants import PARTICIPANTS
from chat_service.sessions.queries import SESSIONS, WRITTEN_BACK, LockedSession
from chat_service.sessions.watermarks import raise_marks

MESSAGES: Final = table_of(ChatMessage)

MessageLanes = Lanes[Draft, Sent]


def open_lanes(limits: Limits, clock: Clock) -> MessageLanes:
    """The lanes of this process; each batch is one transaction."""

    async def write_batch(drafts: Sequence[Draft]) -> Sequence[Sent | ServiceError]:
        async with transaction() as db:
            results = await write(db, drafts, limits=limits, now=clock())
        count_acknowledged(results)
        return results

    return Lanes(write_batch, limits)


async def send(lanes: MessageLanes, draft: Draft) -> Sent:
    """Send a message and wait until it is durable; a caller that leaves does not cancel it.

    The last quarter of a lane is kept for staff.

    Raises NotFound, Conflict and its kin, ClientMessageIdReused, Overloaded, DatabaseUnavailable.
    """
    room = CUSTOMERS if draft.caller.is_customer else 1.0
    return await lanes.of(draft.caller.workspace_id).submit(draft, size=draft.size, room=room)


async def write(
    db: AsyncSession, drafts: Sequence[Draft], *, limits: Limits, now: datetime
) -> list[Sent | ServiceError]:
    """Write drafts of one workspace, each with its own result or error, numbered in order."""
    drafts = list(drafts)
    workspace_id = drafts[0].caller.workspace_id
    known = await _read(db, workspace_id, drafts)
    batch = Batch(known, limits, now, partial(_record, db))
    results = [batch.settle(draft) for draft in drafts]
    await _store(db, workspace_id, batch)
    return results


def count_acknowledged(results: Sequence[Sent | ServiceError]) -> None:
    """Count what a transaction has written, once it is committed."""
    sent = [result for result in results if isinstance(result, Sent)]
    repeated = sum(result.repeated for result in sent)
    metrics.NEW_MESSAGES.inc(len(sent) - repeated)
    metrics.REPEATED_MESSAGES.inc(repeated)


def _record(db: AsyncSession, event: Any, session: LockedSession) -> None:
    log.record(db, event, session)


async def _read(db: AsyncSession, workspace_id: WorkspaceId, drafts: list[Draft]) -> Known:
    """Take the locks in their order and read what the batch needs to know."""
    locked = await sessions.lock(db, workspace_id, list({draft.session_id for draft in drafts}))
    stored = await _stored(db, workspace_id, list({draft.key for draft in drafts}))
    replies = {draft.reply_to_id for draft in drafts if draft.reply_to_id is not None}
    concerned = agents_concerned(drafts, locked)
    return Known(
        sessions=locked,
        stored=stored,
        replies=await queries.places(db, workspace_id, replies) if replies else {},
        active_agents=(await agents.lock_active(db, workspace_id, concerned) if concerned else {}),
        participants=await _participants(db, workspace_id, drafts),
    )


@cache
def _find_stored(count: int) -> Select[Any]:
    """Look `count` keys up, each by the whole index of the natural key.

    A list of rows, `(…) IN ((…), …)`, would say the same and read all messages of the workspace on
    SQLite.
    """
    column = MESSAGES.c
    keys = (
        and_(
            column.session_id == bindparam(f"session_{number}"),
            column.author_slot == bindparam(f"slot_{number}"),
            column.client_message_id == bindparam(f"client_{number}"),
        )
        for number in range(count)
    )
    return select(MESSAGES).where(column.workspace_id == bindparam("workspace"), or_(*keys))


async def _stored(
    db: AsyncSession, workspace_id: WorkspaceId, keys: list[Key]
) -> dict[Key, dict[str, Any]]:
    connection = await db.connection()
    # One statement for each power of two: the last key fills up.
    count = 1 << (len(keys) - 1).bit_length()
    values: dict[str, Any] = {"workspace": workspace_id}
    for number in range(count):
        session_id, slot, client_message_id = keys[min(number, len(keys) - 1)]
        values[f"session_{number}"] = session_id
        values[f"slot_{number}"] = slot
        values[f"client_{number}"] = client_message_id
    found = await connection.execute(_find_stored(count), values)
    return {
        (row["session_id"], row["author_slot"], row["client_message_id"]): dict(row)
        for row in found.mappings()
    }


async def _participants(
    db: AsyncSession, workspace_id: WorkspaceId, drafts: list[Draft]
) -> set[ParticipantKey]:
    concerned = {session_id for session_id, _ in staff_writing(drafts)}
    if not concerned:
        return set()
    columns = PARTICIPANTS.c
    query = select(columns.session_id, columns.type, columns.id).where(
        columns.workspace_id == workspace_id,
        columns.session_id.in_(concerned),
        columns.visibility == Visibility.PUBLIC,
    )
    return {(row.session_id, row.type, row.id) for row in await db.execute(query)}


_INSERT: Final = insert(MESSAGES)
_WRITE_BACK: Final = (
    update(SESSIONS)
    .where(
        SESSIONS.c.workspace_id == bindparam("of_workspace"), SESSIONS.c.id == bindparam("of_id")
    )
    .values({name: bindparam(name) for name in WRITTEN_BACK})
)


async def _store(db: AsyncSession, workspace_id: WorkspaceId, batch: Batch) -> None:
    if not batch.messages:
        return
    connection = await db.connection()
    await connection.execute(_INSERT, batch.messages)
    await raise_marks(db, batch.marks.values(), now=batch.now, joining=set(batch.joined))
    await connection.execute(
        _WRITE_BACK,
        [
            {
                "of_workspace": workspace_id,
                "of_id": session.id,
                **{name: getattr(session, name) for name in WRITTEN_BACK},
            }
            for session in batch.changed.values()
        ],
    )
