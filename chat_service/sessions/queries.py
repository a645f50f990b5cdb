"""The one door to sessions: who may see which, fetched for reading or locked for writing.

`visible_to` is the rule as SQL, `may_see` the same rule on a row already read; a test holds the two
together.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, false, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.auth import Caller
from chat_service.errors import NotFound
from chat_service.model import Agent, ChatMessage, ChatSession, Customer, Inbox, table_of
from chat_service.schema import (
    AgentId,
    ClosedReason,
    CustomerId,
    MessageId,
    Permission,
    SessionId,
    Status,
    TeamId,
    WorkspaceId,
)

SESSIONS: Final = table_of(ChatSession)


def visible_to(caller: Caller) -> ColumnElement[bool]:
    """The sessions a caller may see: own ones, or those his permissions open."""
    here = ChatSession.workspace_id == caller.workspace_id
    if caller.is_customer:
        return and_(here, ChatSession.customer_id == caller.customer_id)
    if Permission.SESSIONS_READ_ALL in caller.permissions:
        return and_(here, true())
    rules: list[ColumnElement[bool]] = [false()]
    if Permission.SESSIONS_READ_ASSIGNED in caller.permissions:
        rules.append(ChatSession.assignee_id == caller.actor.id)
    if Permission.SESSIONS_READ_UNASSIGNED in caller.permissions:
        rules.append(ChatSession.assignee_id.is_(None))
    if Permission.SESSIONS_READ_TEAM in caller.permissions and caller.teams:
        rules.append(ChatSession.team_id.in_(sorted(caller.teams)))
    return and_(here, or_(*rules))


def may_see(
    caller: Caller,
    *,
    workspace_id: WorkspaceId,
    customer_id: CustomerId,
    assignee_id: AgentId | None,
    team_id: TeamId | None,
) -> bool:
    """Whether a caller may see a session with these values: `visible_to` in Python."""
    if workspace_id != caller.workspace_id:
        return False
    if caller.is_customer:
        return customer_id == caller.customer_id
    if Permission.SESSIONS_READ_ALL in caller.permissions:
        return True
    if Permission.SESSIONS_READ_TEAM in caller.permissions and team_id in caller.teams:
        return True
    if assignee_id is None:
        return Permission.SESSIONS_READ_UNASSIGNED in caller.permissions
    own = assignee_id == caller.actor.id
    return own and Permission.SESSIONS_READ_ASSIGNED in caller.permissions


def claimable_by(caller: Caller) -> ColumnElement[bool]:
    """The sessions a claim may name: besides the visible ones those that a colleague took.

    Who may see waiting sessions is told that somebody was faster, and not that there was nothing.
    Who sees those of his teams sees them whoever holds them.
    """
    if Permission.SESSIONS_READ_UNASSIGNED not in caller.permissions:
        return visible_to(caller)
    here = ChatSession.workspace_id == caller.workspace_id
    return or_(visible_to(caller), and_(here, ChatSession.status != Status.CLOSED))


async def access(
    db: AsyncSession,
    caller: Caller,
    session_id: UUID,
    *,
    lock: bool = False,
    rule: Callable[[Caller], ColumnElement[bool]] = visible_to,
) -> ChatSession:
    """Fetch a session, for writing with `lock`; unknown and not allowed are the same NotFound."""
    query = select(ChatSession).where(ChatSession.id == session_id, rule(caller))
    if lock:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    found = (await db.scalars(query)).one_or_none()
    if found is None:
        raise NotFound()
    return found


@cache
def summaries() -> Select[Any]:
    """Sessions with all that their views show: names and the last public message; made once."""
    last, agent = table_of(ChatMessage), table_of(Agent)
    return (
        select(
            SESSIONS,
            agent.c.name.label("assignee_name"),
            last.c.author_type.label("last_author_type"),
            last.c.content.label("last_content"),
            last.c.created_at.label("last_created_at"),
        )
        .select_from(SESSIONS)
        .outerjoin(
            agent,
            and_(
                agent.c.workspace_id == SESSIONS.c.workspace_id,
                agent.c.id == SESSIONS.c.assignee_id,
            ),
        )
        .outerjoin(
            last,
            and_(
                last.c.workspace_id == SESSIONS.c.workspace_id,
                last.c.id == SESSIONS.c.last_message_id,
            ),
        )
    )


async def summary(db: AsyncSession, caller: Caller, session_id: UUID) -> Row[Any]:
    """A session as it is shown; unknown and not allowed are the same NotFound."""
    query = summaries().where(ChatSession.id == session_id, visible_to(caller))
    found: Row[Any] | None = (await db.execute(query)).one_or_none()
    if found is None:
        raise NotFound()
    return found


async def summaries_by_id(
    db: AsyncSession, workspace_id: WorkspaceId, ids: Collection[SessionId]
) -> dict[UUID, Row[Any]]:
    """Sessions as they are shown, by id, for a caller whose right was checked before."""
    connection = await db.connection()
    found = await connection.execute(_by_id(), {"workspace": workspace_id, "ids": list(ids)})
    return {row.id: row for row in found}


@cache
def _by_id() -> Select[Any]:
    ids = SESSIONS.c.id.in_(bindparam("ids", expanding=True))
    return summaries().where(SESSIONS.c.workspace_id == bindparam("workspace"), ids)


@dataclass(slots=True)
class LockedSession:
    """A session row under its lock, with the rules of its inbox; written back by the lane.

    The fields stand in the order of the columns of `_LOCKED`.
    """

    workspace_id: WorkspaceId
    id: SessionId
    customer_id: CustomerId
    team_id: TeamId | None
    status: Status
    assignee_id: AgentId | None
    queued_at: datetime | None
    closed_reason: ClosedReason | None
    closed_at: datetime | None
    waiting_since: datetime | None
    last_seq: int
    last_public_seq: int
    last_message_id: MessageId | None
    message_count: int
    version: int
    updated_at: datetime
    last_activity_at: datetime
    customer_name: str | None
    reopen_seconds: int
    reply_claims: bool
    assignee_only: bool


WRITTEN_BACK: Final = (
    "status",
    "assignee_id",
    "queued_at",
    "closed_reason",
    "closed_at",
    "waiting_since",
    "last_seq",
    "last_public_seq",
    "last_message_id",
    "message_count",
    "version",
    "updated_at",
    "last_activity_at",
)
_LOCKED: Final = (
    select(
        SESSIONS.c.workspace_id,
        SESSIONS.c.id,
        SESSIONS.c.customer_id,
        SESSIONS.c.team_id,
        *(SESSIONS.c[name] for name in WRITTEN_BACK),
        Customer.name.label("customer_name"),
        Inbox.reopen_seconds,
        Inbox.reply_claims,
        Inbox.assignee_only,
    )
    .join(
        Customer,
        and_(
            Customer.workspace_id == SESSIONS.c.workspace_id, Customer.id == SESSIONS.c.customer_id
        ),
    )
    .join(
        Inbox, and_(Inbox.workspace_id == SESSIONS.c.workspace_id, Inbox.id == SESSIONS.c.inbox_id)
    )
    .where(
        SESSIONS.c.workspace_id == bindparam("workspace"),
        SESSIONS.c.id.in_(bindparam("ids", expanding=True)),
    )
    .order_by(SESSIONS.c.id)
    .with_for_update(key_share=True, of=SESSIONS)
)


async def lock(
    db: AsyncSession, workspace_id: WorkspaceId, ids: Collection[SessionId]
) -> dict[SessionId, LockedSession]:
    """Lock sessions in the order of their ids, whoever may see them."""
    connection = await db.connection()
    rows = await connection.execute(_LOCKED, {"workspace": workspace_id, "ids": list(ids)})
    return {row[1]: LockedSession(*tuple(row)) for row in rows}
