"""Who may change whom: nobody gives or takes over what he does not have himself.

Whoever may make a link for another could sign in as him, so the rule holds for every act upon an
agent, and not only for roles. What a caller gives outlives his own login, so he gives it under the
locks of his row and his token, and by the rights that he has then: what is remembered of him may be a
moment old.
"""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import queries
from chat_service.auth import Caller, require
from chat_service.errors import FieldError, Forbidden, NotFound, Unauthenticated, ValidationFailed
from chat_service.model import Agent, CustomRole, Token
from chat_service.schema import (
    ROLE_PERMISSIONS,
    AgentId,
    AgentStatus,
    Permission,
    Role,
    RoleId,
    TokenKind,
    WorkspaceId,
)


class Upon(NamedTuple):
    """Who acts, as he is now, and upon whom; `owners` are all that are active."""

    caller: Caller
    agent: Agent
    owners: set[AgentId]


async def act(db: AsyncSession, caller: Caller, permission: Permission) -> Caller:
    """The caller as he is now, and stays until the commit; raises Unauthenticated and Forbidden."""
    me = None
    if caller.kind is TokenKind.AGENT:
        me = await queries.lock(db, caller.workspace_id, caller.agent_id)
    return await _present(db, caller, me, permission)


async def act_upon(
    db: AsyncSession, caller: Caller, permission: Permission, agent_id: UUID
) -> Upon:
    """The same with an agent who may do no more than he, locked; raises NotFound as well."""
    is_agent = caller.kind is TokenKind.AGENT
    ids = [agent_id, caller.agent_id] if is_agent else [agent_id]
    locked, owners = await queries.lock_with_owners(db, caller.workspace_id, ids)
    me = locked.get(caller.agent_id) if is_agent else None
    present = await _present(db, caller, me, permission)
    agent = locked.get(AgentId(agent_id))
    if agent is None:
        raise NotFound()
    await require_over_agent(db, present, agent)
    return Upon(present, agent, owners)


async def _present(
    db: AsyncSession, caller: Caller, me: Agent | None, permission: Permission
) -> Caller:
    """The caller by his token and his row, of which neither has ended."""
    token = select(Token.revoked_at).where(
        Token.workspace_id == caller.workspace_id, Token.id == caller.token_id
    )
    found = (await db.execute(token.with_for_update(key_share=True))).one_or_none()
    if found is None or found.revoked_at is not None:
        raise Unauthenticated()
    if caller.kind is TokenKind.AGENT and (me is None or me.status is not AgentStatus.ACTIVE):
        raise Unauthenticated()
    present = await queries.with_present_rights(db, caller)
    require(present, permission)
    return present


def require_not_oneself(caller: Caller, agent_id: UUID) -> None:
    """Refuse by this way what one does to oneself with one's password; raises Forbidden."""
    if agent_id == caller.actor.id:
        raise Forbidden("For oneself this takes the password: see /v1/agents/me")


def require_own(caller: Caller, permissions: Collection[str]) -> None:
    """Refuse to give, or to change, what the caller does not have himself; raises Forbidden."""
    foreign = [each.value for each in Permission if each in set(permissions) - caller.permissions]
    if foreign:
        raise Forbidden(f"You do not have yourself: {', '.join(foreign)}")


def require_over(caller: Caller, role: Role, permissions: frozenset[Permission]) -> None:
    """Refuse an act upon somebody with this role, or the gift of it; raises Forbidden."""
    if role is Role.OWNER and caller.role is not Role.OWNER:
        raise Forbidden("Only an owner makes, changes or removes an owner")
    require_own(caller, permissions)


async def require_over_agent(db: AsyncSession, caller: Caller, agent: Agent) -> None:
    """Refuse an act upon an agent who may do more than the caller; raises Forbidden."""
    permissions = await permissions_with(db, agent.workspace_id, agent.role, agent.role_id)
    require_over(caller, agent.role, permissions)


async def require_gift(
    db: AsyncSession, caller: Caller, role: Role, role_id: RoleId | None
) -> None:
    """Refuse to give a role that is none, or is more than the caller has.

    Raises ValidationFailed and Forbidden.
    """
    if (role is Role.CUSTOM) != (role_id is not None):
        code, detail = ("missing", "is needed") if role_id is None else ("reserved", "is for")
        detail = f"{detail} with the role custom"
        raise ValidationFailed(errors=[FieldError("/role_id", code, detail)])
    # Locked, lest the role goes or grows between this look and the commit.
    permissions = await permissions_with(db, caller.workspace_id, role, role_id, lock=True)
    require_over(caller, role, permissions)


async def permissions_with(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    role: Role,
    role_id: UUID | None,
    *,
    lock: bool = False,
) -> frozenset[Permission]:
    """What somebody with this role may; raises ValidationFailed where there is no such row."""
    if role_id is None:
        return ROLE_PERMISSIONS[role]
    query = select(CustomRole.permissions).where(
        CustomRole.workspace_id == workspace_id, CustomRole.id == role_id
    )
    found = await db.scalar(query.with_for_update(key_share=True) if lock else query)
    if found is None:
        detail = "there is no such role"
        raise ValidationFailed(errors=[FieldError("/role_id", "unknown_role", detail)])
    return frozenset(Permission(each) for each in found)
