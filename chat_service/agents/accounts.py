"""The life of an agent's account: invited, changed, given a link, deactivated, activated again.

What a deactivation does to the chats he holds is done by `sessions.leaving`, which stands higher.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import links, queries, services
from chat_service.agents.links import Link
from chat_service.agents.logins import end_logins
from chat_service.agents.standing import act, act_upon, require_gift, require_not_oneself
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import Target
from chat_service.auth import Caller
from chat_service.config import Auth
from chat_service.errors import AgentDeactivated as IsDeactivated
from chat_service.errors import LastOwner
from chat_service.events import log
from chat_service.events.schema import AgentDeactivated
from chat_service.model import Agent
from chat_service.schema import (
    Actor,
    AgentId,
    AgentStatus,
    Permission,
    Role,
    RoleId,
    TokenId,
    WorkspaceId,
)


async def invite(
    db: AsyncSession,
    caller: Caller,
    config: Auth,
    *,
    email: str,
    name: str,
    role: Role,
    role_id: UUID | None,
    now: datetime,
) -> tuple[Agent, Link]:
    """Add an agent without a password, and a link to choose one.

    Raises EmailTaken, TooMany, and for a role that the caller may not give Forbidden or
    ValidationFailed.
    """
    given = RoleId(role_id) if role_id else None
    caller = await act(db, caller, Permission.AGENTS_MANAGE)
    await require_gift(db, caller, role, given)
    return await add_invited(
        db,
        caller.workspace_id,
        caller.actor,
        config,
        email=email,
        name=name,
        role=role,
        role_id=given,
        now=now,
        token_id=caller.token_id,
    )


async def add_invited(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    actor: Actor,
    config: Auth,
    *,
    email: str,
    name: str,
    role: Role,
    now: datetime,
    role_id: RoleId | None = None,
    token_id: TokenId | None = None,
) -> tuple[Agent, Link]:
    """The same by whoever runs the installation, who may give any role; raises EmailTaken, TooMany."""
    agent = await services.create(
        db,
        workspace_id,
        email=email,
        name=name,
        role=role,
        role_id=role_id,
        password_hash=None,
        status=AgentStatus.INVITED,
        actor=actor,
        now=now,
    )
    target = Target("agent", agent.id)
    audit.record(
        db, workspace_id, actor, Act.AGENT_INVITED, now=now, target=target, token_id=token_id
    )
    return agent, await links.issue(db, agent, config, now=now)


async def patch(
    db: AsyncSession,
    caller: Caller,
    agent_id: UUID,
    *,
    name: str | None,
    role: Role | None,
    role_id: UUID | None,
    now: datetime,
) -> Agent:
    """Change name and role of an agent; None leaves them. Another role ends all his logins and links.

    Raises NotFound, Forbidden, LastOwner, and ValidationFailed for a role that is none.
    """
    caller, agent, owners = await act_upon(db, caller, Permission.AGENTS_MANAGE, agent_id)
    wanted: dict[str, Any] = {"display_name": agent.name if name is None else name}
    wanted |= _wanted_role(agent, role, role_id)
    held = {"display_name": agent.name, "role": agent.role, "role_id": agent.role_id}
    changed = [field for field, value in wanted.items() if held[field] != value]
    if {"role", "role_id"} & set(changed):
        await require_gift(db, caller, wanted["role"], wanted["role_id"])
        _require_another_owner(owners, agent)
        await end_logins(db, agent, actor=caller.actor, now=now)
        # Whoever holds a link was given it for less.
        await links.end_links(db, agent.workspace_id, agent.id)
    if changed:
        agent.name, agent.role, agent.role_id = wanted.values()
        services.note_update(db, agent, caller.actor, changed, now=now)
        _audit(db, caller, Act.AGENT_UPDATED, agent, changed, now=now)
    return agent


def _wanted_role(agent: Agent, role: Role | None, role_id: UUID | None) -> dict[str, Any]:
    """The role after a change; one of the workspace's own stays where neither part is named."""
    if role is None and role_id is None or role is Role.CUSTOM and role_id is None:
        role_id = agent.role_id
    return {"role": role or agent.role, "role_id": role_id}


async def deactivate(db: AsyncSession, caller: Caller, agent_id: UUID, *, now: datetime) -> bool:
    """Let an agent in no more, by whatever he holds; False where he was deactivated before.

    His sessions have been locked by who calls this: agents are locked after them. Raises NotFound,
    Forbidden and LastOwner.
    """
    caller, agent, owners = await act_upon(db, caller, Permission.AGENTS_MANAGE, agent_id)
    if agent.status is AgentStatus.DEACTIVATED:
        return False
    _require_another_owner(owners, agent)
    agent.status = AgentStatus.DEACTIVATED
    deactivated = AgentDeactivated(
        workspace_id=agent.workspace_id, actor=caller.actor, at=now, agent_id=agent.id
    )
    log.record(db, deactivated)
    await end_logins(db, agent, actor=caller.actor, now=now)
    await links.end_links(db, agent.workspace_id, agent.id)
    _audit(db, caller, Act.AGENT_DEACTIVATED, agent, now=now)
    return True


async def activate(db: AsyncSession, caller: Caller, agent_id: UUID, *, now: datetime) -> Agent:
    """Let a deactivated agent in again; who never chose a password is invited again.

    A repeat changes nothing. Raises NotFound and Forbidden.
    """
    caller, agent, _ = await act_upon(db, caller, Permission.AGENTS_MANAGE, agent_id)
    if agent.status is AgentStatus.DEACTIVATED:
        joined = agent.password_hash is not None or await queries.has_identity(db, agent)
        agent.status = AgentStatus.ACTIVE if joined else AgentStatus.INVITED
        services.note_update(db, agent, caller.actor, ["status"], now=now)
        _audit(db, caller, Act.AGENT_ACTIVATED, agent, now=now)
    return agent


async def renew_link(
    db: AsyncSession, caller: Caller, agent_id: UUID, config: Auth, *, now: datetime
) -> tuple[Agent, Link]:
    """A new link in place of all older ones: an invitation, or a recovery for who is active.

    Nobody makes one for himself, who would need no password for it. Raises NotFound, Forbidden, and
    AgentDeactivated.
    """
    require_not_oneself(caller, agent_id)
    caller, agent, _ = await act_upon(db, caller, Permission.AGENTS_MANAGE, agent_id)
    if agent.status is AgentStatus.DEACTIVATED:
        raise IsDeactivated()
    _audit(db, caller, Act.LINK_CREATED, agent, now=now)
    return agent, await links.issue(db, agent, config, now=now)


def _require_another_owner(owners: Collection[AgentId], agent: Agent) -> None:
    """Refuse to take the only active owner's place away; raises LastOwner."""
    if set(owners) == {agent.id}:
        raise LastOwner()


def _audit(
    db: AsyncSession,
    caller: Caller,
    act: Act,
    agent: Agent,
    fields: Collection[str] = (),
    *,
    now: datetime,
) -> None:
    audit.record_by(db, caller, act, now=now, target=Target("agent", agent.id), fields=fields)
