"""Find teams and who is in them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Row, and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.errors import NotFound
from chat_service.model import Agent, ChatSession, Team, TeamMember
from chat_service.schema import AgentId, TeamId, WorkspaceId


async def of(db: AsyncSession, workspace_id: WorkspaceId) -> Sequence[Team]:
    """All of a workspace, by name."""
    query = select(Team).where(Team.workspace_id == workspace_id).order_by(Team.name, Team.id)
    return (await db.scalars(query)).all()


async def access(db: AsyncSession, workspace_id: WorkspaceId, team_id: UUID) -> Team:
    """One team; raises NotFound."""
    query = select(Team).where(Team.workspace_id == workspace_id, Team.id == team_id)
    return _found((await db.scalars(query)).one_or_none())


async def locked(
    db: AsyncSession, workspace_id: WorkspaceId, team_id: UUID, *, to_remove: bool = False
) -> Team:
    """A team for writing; `to_remove` waits for whoever is just giving it a session.

    Raises NotFound.
    """
    query = select(Team).where(Team.workspace_id == workspace_id, Team.id == team_id)
    query = query.with_for_update(key_share=not to_remove)
    return _found((await db.scalars(query)).one_or_none())


async def exists(db: AsyncSession, workspace_id: WorkspaceId, team_id: UUID) -> bool:
    """Whether there is such a team, which stays until the transaction ends.

    A session that names it takes the same lock by its foreign key.
    """
    query = select(Team.id).where(Team.workspace_id == workspace_id, Team.id == team_id)
    query = query.with_for_update(read=True, key_share=True)
    return (await db.scalars(query)).one_or_none() is not None


async def has_sessions(db: AsyncSession, workspace_id: WorkspaceId, team_id: TeamId) -> bool:
    """Whether any session names a team, closed ones too."""
    query = select(ChatSession.id).where(
        ChatSession.workspace_id == workspace_id, ChatSession.team_id == team_id
    )
    return (await db.scalars(query.limit(1))).first() is not None


async def members(
    db: AsyncSession, workspace_id: WorkspaceId, team_id: TeamId
) -> Sequence[Row[AgentId, str]]:
    """Who is in a team, by name: rows of `id` and `name`."""
    same = and_(Agent.workspace_id == TeamMember.workspace_id, Agent.id == TeamMember.agent_id)
    query = (
        select(Agent.id, Agent.name)
        .join(TeamMember, same)
        .where(TeamMember.workspace_id == workspace_id, TeamMember.team_id == team_id)
        .order_by(Agent.name, Agent.id)
    )
    return (await db.execute(query)).all()


async def membership(
    db: AsyncSession, workspace_id: WorkspaceId, team_id: TeamId, agent_id: UUID
) -> TeamMember | None:
    """That an agent is in a team, if he is."""
    return await db.get(TeamMember, (workspace_id, team_id, agent_id))


async def is_agent(db: AsyncSession, workspace_id: WorkspaceId, agent_id: UUID) -> bool:
    """Whether an agent is one of the workspace."""
    query = select(Agent.id).where(Agent.workspace_id == workspace_id, Agent.id == agent_id)
    return (await db.scalars(query)).one_or_none() is not None


def _found(team: Team | None) -> Team:
    if team is None:
        raise NotFound()
    return team
