"""Find agents."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.model import Agent
from chat_service.schema import AgentId, AgentStatus, WorkspaceId


async def by_email(db: AsyncSession, workspace_id: WorkspaceId, email: str) -> Agent | None:
    """The agent who signs in with this address, whatever its case."""
    query = select(Agent).where(Agent.workspace_id == workspace_id, Agent.email == email.lower())
    return (await db.scalars(query)).one_or_none()


async def by_id(db: AsyncSession, workspace_id: WorkspaceId, agent_id: UUID) -> Agent:
    """An agent who is known to be one."""
    query = select(Agent).where(Agent.workspace_id == workspace_id, Agent.id == agent_id)
    return (await db.scalars(query)).one()


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
