"""Read messages: one, or many by id, with the names of their authors."""

from collections.abc import Collection
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import FromClause, RowMapping, Select, and_, bindparam, case, select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.auth import Caller
from chat_service.errors import NotFound
from chat_service.model import Agent, ChatMessage, Customer, Token, table_of
from chat_service.schema import AuthorType, MessageId, SessionId, Visibility, WorkspaceId

MESSAGES: Final = table_of(ChatMessage)


@cache
def with_authors() -> Select[Any]:
    """Messages with the present names of their authors; made once.

    A visitor who turned out to be a verified customer has that one's name.
    """
    message = MESSAGES.c
    customer, agent, token = (table_of(model) for model in (Customer, Agent, Token))
    verified = customer.alias("verified")
    author = case(
        (verified.c.id.is_not(None), verified.c.name),
        (message.author_type == AuthorType.CUSTOMER, customer.c.name),
        (message.author_type == AuthorType.AGENT, agent.c.name),
        else_=token.c.name,
    )
    joined: FromClause = MESSAGES
    for table in (customer, agent, token):
        own = and_(table.c.workspace_id == message.workspace_id, table.c.id == message.author_id)
        joined = joined.outerjoin(table, own)
    turned_out = and_(
        verified.c.workspace_id == customer.c.workspace_id,
        verified.c.id == customer.c.merged_into,
    )
    joined = joined.outerjoin(verified, turned_out)
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
    connection = await db.connection()
    found = await connection.execute(_by_id(), {"workspace": workspace_id, "ids": list(ids)})
    return {row["id"]: row for row in found.mappings()}


@cache
def _by_id() -> Select[Any]:
    ids = MESSAGES.c.id.in_(bindparam("ids", expanding=True))
    return with_authors().where(MESSAGES.c.workspace_id == bindparam("workspace"), ids)


async def places(
    db: AsyncSession, workspace_id: WorkspaceId, ids: Collection[MessageId]
) -> dict[MessageId, tuple[SessionId, Visibility]]:
    """Where messages stand, for those that are answered."""
    columns = MESSAGES.c
    query = select(columns.id, columns.session_id, columns.visibility).where(
        columns.workspace_id == workspace_id, columns.id.in_(ids)
    )
    return {row.id: (row.session_id, row.visibility) for row in await db.execute(query)}
