"""Find agents."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.auth import Caller, permissions_of, teams_of
from chat_service.errors import NotFound
from chat_service.model import Agent, AgentIdentity, CustomRole
from chat_service.schema import AgentId, AgentStatus, Role, TokenKind, WorkspaceId


async def by_email(db: AsyncSession, workspace_id: WorkspaceId, email: str) -> Agent | None:
    """The agent who signs in with this address, whatever its case."""
    query = select(Agent).where(Agent.workspace_id == workspace_id, Agent.email == email.lower())
    return (await db.scalars(query)).one_or_none()


async def by_id(db: AsyncSession, workspace_id: WorkspaceId, agent_id: UUID) -> Agent:
    """An agent who is known to be one."""
    query = select(Agent).where(Agent.workspace_id == workspace_id, Agent.id == agent_id)
    return (await db.scalars(query)).one()


async def access(db: AsyncSession, workspace_id: WorkspaceId, agent_id: UUID) -> Agent:
    """An agent of the workspace; raises NotFound."""
    found = await db.get(Agent, (workspace_id, agent_id))
    if found is None:
        raise NotFound()
    return found


async def listed(db: AsyncSession, workspace_id: WorkspaceId) -> Sequence[Agent]:
    """All agents of a workspace, in the order in which they were added."""
    query = select(Agent).where(Agent.workspace_id == workspace_id).order_by(Agent.id)
    return (await db.scalars(query)).all()


async def lock(db: AsyncSession, workspace_id: WorkspaceId, agent_id: UUID) -> Agent:
    """An agent under his lock, as he is now; raises NotFound."""
    query = select(Agent).where(Agent.workspace_id == workspace_id, Agent.id == agent_id)
    found = (await db.scalars(_locking(query))).one_or_none()
    if found is None:
        raise NotFound()
    return found


async def lock_with_owners(
    db: AsyncSession, workspace_id: WorkspaceId, ids: Collection[UUID]
) -> tuple[dict[AgentId, Agent], set[AgentId]]:
    """Agents under their locks, with the ids of all active owners, who are locked as well.

    So two who take each other's role away at once do so one after the other.
    """
    owners = (Agent.role == Role.OWNER) & (Agent.status == AgentStatus.ACTIVE)
    query = select(Agent).where(Agent.workspace_id == workspace_id, or_(Agent.id.in_(ids), owners))
    found = (await db.scalars(_locking(query))).all()
    return {each.id: each for each in found}, {each.id for each in found if _is_active_owner(each)}


def _is_active_owner(agent: Agent) -> bool:
    return agent.role is Role.OWNER and agent.status is AgentStatus.ACTIVE


def _locking(query: Select[Agent]) -> Select[Agent]:
    """Lock rows of agents in the one order, and read them as they are then."""
    locked = query.order_by(Agent.id).with_for_update(key_share=True)
    return locked.execution_options(populate_existing=True)


async def has_identity(db: AsyncSession, agent: Agent) -> bool:
    """Whether an agent signs in by another site's word."""
    query = select(AgentIdentity.agent_id).where(
        AgentIdentity.workspace_id == agent.workspace_id, AgentIdentity.agent_id == agent.id
    )
    return await db.scalar(query.limit(1)) is not None


async def with_present_rights(db: AsyncSession, caller: Caller) -> Caller:
    """A caller with the rights that he has in this snapshot; what is remembered of him may be older.

    Only an agent's rights change while he is signed in.
    """
    if caller.kind is not TokenKind.AGENT:
        return caller
    roles = (CustomRole.workspace_id == Agent.workspace_id) & (CustomRole.id == Agent.role_id)
    query = (
        select(Agent, CustomRole)
        .outerjoin(CustomRole, roles)
        .where(Agent.workspace_id == caller.workspace_id, Agent.id == caller.actor.id)
    )
    agent, role = (await db.execute(query)).one()
    permissions = permissions_of(agent, role)
    return replace(
        caller,
        permissions=permissions,
        role=agent.role,
        role_id=agent.role_id,
        teams=await teams_of(db, agent, permissions),
    )


async def lock_active(
    db: AsyncSession, workspace_id: WorkspaceId, ids: Collection[AgentId]
) -> dict[AgentId, str]:
    """Lock agents in the order of their ids; the names of those who may hold a session."""
    query = (
        select(Agent.id, Agent.name)
        .where(
            Agent.workspace_id == workspace_id,
            Agent.id.in_(ids),
            Agent.status == AgentStatus.ACTIVE,
        )
        .order_by(Agent.id)
        .with_for_update(key_share=True)
    )
    return {row.id: row.name for row in await db.execute(query)}
