"""Write messages: `send` through the lane, `write` inside any transaction; edit and delete.

`send` is the one door to the lane. `write` is what a batch runs: set-based statements in one form on
both databases, in the order of locks that holds everywhere.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import bindparam, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import queries as agents
from chat_service.auth import Caller, require
from chat_service.config import Limits
from chat_service.errors import (
    EditWindowPassed,
    FieldError,
    Forbidden,
    NotFound,
    ServiceError,
    ValidationFailed,
)
from chat_service.events import log
from chat_service.events.group_commit import Lanes
from chat_service.events.schema import MessageDeleted, MessageUpdated, audience_of
from chat_service.events.transaction import transaction
from chat_service.messages import queries
from chat_service.messages.batch import (
    Batch,
    Draft,
    Key,
    Known,
    ParticipantKey,
    Sent,
    agents_concerned,
    staff_writing,
)
from chat_service.model import ChatMessage, ChatSession, Participant, table_of
from chat_service.schema import Clock, MessageId, Permission, SessionId, Visibility, WorkspaceId
from chat_service.sessions import queries as sessions
from chat_service.sessions.queries import SESSIONS, WRITTEN_BACK, LockedSession

MESSAGES: Final = table_of(ChatMessage)
PARTICIPANTS: Final = table_of(Participant)
OVERHEAD: Final = 1_024
"""Bytes a draft takes beside its words and data, for the bound of a batch."""

MessageLanes = Lanes[Draft, Sent]


def open_lanes(limits: Limits, clock: Clock) -> MessageLanes:
    """The lanes of this process; each batch is one transaction."""

    async def write_batch(drafts: Sequence[Draft]) -> Sequence[Sent | ServiceError]:
        async with transaction() as db:
            return await write(db, drafts, limits=limits, now=clock())

    return Lanes(write_batch, limits)


def draft_of(
    caller: Caller,
    session_id: SessionId,
    *,
    client_message_id: str,
    content: dict[str, Any],
    visibility: Visibility,
    reply_to_id: UUID | None,
    metadata: dict[str, Any],
    public_metadata: dict[str, Any],
    limits: Limits,
) -> Draft:
    """A draft that its caller may send; raises Forbidden or ValidationFailed.

    The right to this very session is checked in the batch, on the locked row.
    """
    _check_right(caller, visibility, metadata)
    _check_sizes(content, metadata, public_metadata, limits)
    reply = None if reply_to_id is None else MessageId(reply_to_id)
    return Draft(
        caller=caller,
        session_id=session_id,
        client_message_id=client_message_id,
        content=content,
        visibility=visibility,
        reply_to_id=reply,
        metadata=metadata,
        public_metadata=public_metadata,
        fingerprint=fingerprint(content, visibility, reply),
    )


async def send(lanes: MessageLanes, draft: Draft) -> Sent:
    """Send a message and wait until it is durable; a caller that leaves does not cancel it.

    Raises NotFound, Conflict and its kin, ClientMessageIdReused, Overloaded, DatabaseUnavailable.
    """
    given = draft.content, draft.metadata, draft.public_metadata
    size = OVERHEAD + sum(len(orjson.dumps(part)) for part in given)
    return await lanes.of(draft.caller.workspace_id).submit(draft, size=size)


def fingerprint(content: dict[str, Any], visibility: Visibility, reply: UUID | None) -> bytes:
    """SHA-256 of what makes a repeat a repeat."""
    canonical = orjson.dumps([content, visibility, reply], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).digest()


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


def _record(db: AsyncSession, event: Any, session: LockedSession) -> None:
    log.record(db, event, session)


async def _read(db: AsyncSession, workspace_id: WorkspaceId, drafts: list[Draft]) -> Known:
    """Take the locks in their order and read what the batch needs to know."""
    locked = await sessions.lock(db, workspace_id, sorted({draft.session_id for draft in drafts}))
    stored = await _stored(db, workspace_id, sorted({draft.key for draft in drafts}))
    replies = {draft.reply_to_id for draft in drafts if draft.reply_to_id is not None}
    concerned = agents_concerned(drafts, locked)
    return Known(
        sessions=locked,
        stored=stored,
        replies=await queries.places(db, workspace_id, replies) if replies else {},
        active_agents=(await agents.lock_active(db, workspace_id, concerned) if concerned else {}),
        participants=await _participants(db, workspace_id, drafts),
    )


_STORED: Final = select(MESSAGES).where(
    MESSAGES.c.workspace_id == bindparam("workspace"),
    tuple_(MESSAGES.c.session_id, MESSAGES.c.author_slot, MESSAGES.c.client_message_id).in_(
        bindparam("keys", expanding=True)
    ),
)


async def _stored(
    db: AsyncSession, workspace_id: WorkspaceId, keys: list[Key]
) -> dict[Key, dict[str, Any]]:
    connection = await db.connection()
    found = await connection.execute(_STORED, {"workspace": workspace_id, "keys": keys})
    return {
        (row["session_id"], row["author_slot"], row["client_message_id"]): dict(row)
        for row in found.mappings()
    }


async def _participants(
    db: AsyncSession, workspace_id: WorkspaceId, drafts: list[Draft]
) -> set[ParticipantKey]:
    wanted = [(session, actor.type, actor.id) for session, actor in staff_writing(drafts)]
    if not wanted:
        return set()
    columns = PARTICIPANTS.c
    query = select(columns.session_id, columns.type, columns.id).where(
        columns.workspace_id == workspace_id,
        tuple_(columns.session_id, columns.type, columns.id).in_(wanted),
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
    if batch.joined:
        await connection.execute(
            insert(PARTICIPANTS),
            [
                {
                    "workspace_id": workspace_id,
                    "session_id": session_id,
                    "type": kind,
                    "id": actor_id,
                    "visibility": Visibility.PUBLIC,
                    "joined_at": batch.now,
                }
                for session_id, kind, actor_id in batch.joined
            ],
        )
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


async def edit(
    db: AsyncSession,
    caller: Caller,
    session: ChatSession,
    message: ChatMessage,
    content: dict[str, Any],
    *,
    limits: Limits,
    now: datetime,
) -> ChatMessage:
    """Change the words of one's own message of a locked session, inside the edit window.

    The same words again change and record nothing. Raises Forbidden, EditWindowPassed, NotFound.
    """
    _check_sizes(content, {}, {}, limits)
    if message.deleted_at is not None:
        raise NotFound("The message was deleted")
    _require_author(caller, message)
    _require_window(message, limits, now)
    if message.content == content:
        return message
    message.content, message.edited_at = content, now
    message.version += 1
    updated = MessageUpdated(**_about(caller, message, now), changed=["content"])
    log.record(db, updated, session)
    return message


async def delete(
    db: AsyncSession,
    caller: Caller,
    session: ChatSession,
    message: ChatMessage,
    *,
    limits: Limits,
    now: datetime,
) -> None:
    """Turn a message of a locked session into a tombstone that keeps its numbers.

    The author may inside the edit window, who has `messages:delete` at any time. A repeat changes
    nothing.
    """
    if Permission.MESSAGES_DELETE not in caller.permissions:
        _require_author(caller, message)
        if message.deleted_at is None:
            _require_window(message, limits, now)
    if message.deleted_at is not None:
        return
    message.content = message.fingerprint = None
    message.metadata_, message.public_metadata = {}, {}
    message.deleted_at = now
    message.version += 1
    log.record(db, MessageDeleted(**_about(caller, message, now)), session)


def _about(caller: Caller, message: ChatMessage, now: datetime) -> dict[str, Any]:
    return {
        "workspace_id": message.workspace_id,
        "session_id": message.session_id,
        "message_id": message.id,
        "audience": audience_of(message.visibility),
        "actor": caller.actor,
        "at": now,
    }


def _require_author(caller: Caller, message: ChatMessage) -> None:
    if message.author_slot != caller.actor.slot:
        raise Forbidden("Only the author may do this")


def _require_window(message: ChatMessage, limits: Limits, now: datetime) -> None:
    if now - message.created_at > timedelta(seconds=limits.edit_seconds):
        raise EditWindowPassed()


def _check_right(caller: Caller, visibility: Visibility, metadata: dict[str, Any]) -> None:
    if caller.is_customer:
        if visibility is Visibility.INTERNAL or metadata:
            raise Forbidden("Only staff write notes and metadata")
    elif visibility is Visibility.INTERNAL:
        require(caller, Permission.MESSAGES_WRITE_NOTE)
    else:
        require(caller, Permission.MESSAGES_WRITE)


def _check_sizes(
    content: dict[str, Any],
    metadata: dict[str, Any],
    public_metadata: dict[str, Any],
    limits: Limits,
) -> None:
    bounds = (
        ("/content/text", len(content["text"].encode()), limits.message_bytes),
        ("/metadata", len(orjson.dumps(metadata)), limits.attributes_bytes),
        ("/public_metadata", len(orjson.dumps(public_metadata)), limits.attributes_bytes),
    )
    errors = [
        FieldError(pointer, "too_long", f"must have at most {most} bytes in UTF-8")
        for pointer, size, most in bounds
        if size > most
    ]
    if errors:
        raise ValidationFailed(errors=errors)
