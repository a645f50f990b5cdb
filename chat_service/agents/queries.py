"""Find agents."""

from collections.abc import Collection
from dataclasses import replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.auth import Caller, permissions_of, teams_of
from chat_service.model import Agent, CustomRole
from chat_service.schema import AgentId, AgentStatus, TokenKind, WorkspaceId


async def by_email(db: AsyncSession, workspace_id: WorkspaceId, email: str) -> Agent | None:
    """The agent who signs in with this address, whatever its case."""
    query = select(Agent).where(Agent.workspace_id == workspace_id, Agent.email == email.lower())
    return (await db.scalars(query)).one_or_none()


async def by_id(db: AsyncSession, workspace_id: WorkspaceId, agent_id: UUID) -> Agent:
    """An agent who is known to be one."""
    query = select(Agent).where(Agent.workspace_id == workspace_id, Agent.id == agent_id)
    return (await db.scalars(query)).one()


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
