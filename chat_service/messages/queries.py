"""Read messages: one, a page by number, or many by id. Customers get public ones only."""

from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import FromClause, RowMapping, Select, and_, case, select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.auth import Caller
from chat_service.errors import InvalidParameter, NotFound
from chat_service.messages.transport import MOST, MessageLinks, MessagesQuery
from chat_service.model import Agent, ChatMessage, ChatSession, Customer, Token, table_of
from chat_service.schema import AuthorType, MessageId, SessionId, Visibility, WorkspaceId

MESSAGES: Final = table_of(ChatMessage)


def _with_authors() -> Select[Any]:
    """Messages with the present names of their authors."""
    message = MESSAGES.c
    author = case(
        (message.author_type == AuthorType.CUSTOMER, Customer.name),
        (message.author_type == AuthorType.AGENT, Agent.name),
        else_=Token.name,
    )
    joined: FromClause = MESSAGES
    for table in (Customer, Agent, Token):
        joined = joined.outerjoin(
            table, and_(table.workspace_id == message.workspace_id, table.id == message.author_id)
        )
    return select(MESSAGES, author.label("author_name")).select_from(joined)


async def access(
    db: AsyncSession, caller: Caller, session_id: UUID, message_id: UUID, *, lock: bool = False
) -> ChatMessage:
    """A message of a session the caller may see; what he may not see is NotFound."""
    query = select(ChatMessage).where(
        ChatMessage.workspace_id == caller.workspace_id,
        ChatMessage.session_id == session_id,
        ChatMessage.id == message_id,
    )
    if caller.is_customer:
        query = query.where(ChatMessage.visibility == Visibility.PUBLIC)
    if lock:
        query = query.with_for_update(key_share=True)
    found = (await db.scalars(query)).one_or_none()
    if found is None:
        raise NotFound()
    return found


async def by_id(
    db: AsyncSession, workspace_id: WorkspaceId, ids: Collection[UUID]
) -> dict[UUID, RowMapping]:
    """Messages as they are shown, by id, for a caller whose right was checked before."""
    query = _with_authors().where(MESSAGES.c.workspace_id == workspace_id, MESSAGES.c.id.in_(ids))
    return {row["id"]: row for row in (await db.execute(query)).mappings()}


async def places(
    db: AsyncSession, workspace_id: WorkspaceId, ids: Collection[MessageId]
) -> dict[MessageId, tuple[SessionId, Visibility]]:
    """Where messages stand, for those that are answered."""
    columns = MESSAGES.c
    query = select(columns.id, columns.session_id, columns.visibility).where(
        columns.workspace_id == workspace_id, columns.id.in_(ids)
    )
    return {row.id: (row.session_id, row.visibility) for row in await db.execute(query)}


async def page(
    db: AsyncSession, caller: Caller, session: ChatSession, wanted: MessagesQuery
) -> tuple[Sequence[RowMapping], MessageLinks]:
    """One page of a session's messages, oldest first, and the numbers to go on from.

    Numbers are the caller's: `public_seq` for customers, `seq` for staff.
    """
    given = [
        name
        for name in ("before_seq", "after_seq", "around_seq")
        if getattr(wanted, name) is not None
    ]
    if len(given) > 1:
        raise InvalidParameter(f"Only one of {', '.join(given)} may be given")
    limit = min(wanted.limit, MOST)
    if wanted.around_seq is not None:
        half = limit // 2
        older = await _read(db, caller, session, below=wanted.around_seq, limit=half)
        newer = await _read(db, caller, session, above=wanted.around_seq - 1, limit=limit - half)
        rows = [*older[:half], *newer[: limit - half]]
        rows.sort(key=lambda row: row["seq"])
        return rows, _links(caller, rows, older=len(older) > half, newer=len(newer) > limit - half)
    if wanted.after_seq is not None:
        found = await _read(db, caller, session, above=wanted.after_seq, limit=limit)
        rows = found[:limit]
        return rows, _links(caller, rows, older=wanted.after_seq > 0, newer=len(found) > limit)
    found = await _read(db, caller, session, below=wanted.before_seq, limit=limit)
    rows = found[:limit][::-1]
    newer_too = wanted.before_seq is not None
    return rows, _links(caller, rows, older=len(found) > limit, newer=newer_too)


async def _read(
    db: AsyncSession,
    caller: Caller,
    session: ChatSession,
    *,
    above: int | None = None,
    below: int | None = None,
    limit: int,
) -> list[RowMapping]:
    """Messages above a number, oldest first, or below one, newest first; one more than asked."""
    number = MESSAGES.c.public_seq if caller.is_customer else MESSAGES.c.seq
    query = _with_authors().where(
        MESSAGES.c.workspace_id == session.workspace_id, MESSAGES.c.session_id == session.id
    )
    if caller.is_customer:
        query = query.where(number.is_not(None))
    if above is not None:
        query = query.where(number > above).order_by(number)
    else:
        query = query.order_by(number.desc())
        if below is not None:
            query = query.where(number < below)
    return list((await db.execute(query.limit(limit + 1))).mappings())


def _links(caller: Caller, rows: Sequence[RowMapping], *, older: bool, newer: bool) -> MessageLinks:
    name = "public_seq" if caller.is_customer else "seq"
    return MessageLinks(
        before_seq=rows[0][name] if rows and older else None,
        after_seq=rows[-1][name] if rows and newer else None,
        has_more=bool(rows) and older or bool(rows) and newer,
    )
