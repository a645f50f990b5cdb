"""Make, change and remove teams, and say who is in them. Each change is an event, and audited."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents.teams import queries
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import Target
from chat_service.auth import Caller
from chat_service.errors import NotFound, TeamInUse
from chat_service.events import log
from chat_service.events.schema import TeamUpdated
from chat_service.model import Team, TeamMember
from chat_service.schema import AgentId, TeamId, new_id
from chat_service.workspaces.bounds import naming, require_room


async def create(db: AsyncSession, caller: Caller, *, name: str, now: datetime) -> Team:
    """A new team, of nobody; raises NameTaken, TooMany."""
    await require_room(db, Team, Team.workspace_id == caller.workspace_id)
    team = Team(workspace_id=caller.workspace_id, id=TeamId(new_id()), name=name, created_at=now)
    async with naming(db):
        db.add(team)
    _record(db, caller, team, Act.TEAM_CREATED, ["name"], now=now)
    return team


async def change(
    db: AsyncSession, caller: Caller, team_id: UUID, *, name: str | None, now: datetime
) -> Team:
    """Change a team, None leaves what there is; raises NotFound, NameTaken."""
    team = await queries.locked(db, caller.workspace_id, team_id)
    if name is not None and name != team.name:
        async with naming(db):
            team.name = name
        _record(db, caller, team, Act.TEAM_UPDATED, ["name"], now=now)
    return team


async def remove(db: AsyncSession, caller: Caller, team_id: UUID, *, now: datetime) -> None:
    """Remove a team that no session names; its members lose it. Raises NotFound, TeamInUse."""
    team = await queries.locked(db, caller.workspace_id, team_id, to_remove=True)
    if await queries.has_sessions(db, caller.workspace_id, team.id):
        raise TeamInUse()
    rows = await queries.members(db, caller.workspace_id, team.id)
    await db.delete(team)
    _record(db, caller, team, Act.TEAM_DELETED, [], [row.id for row in rows], now=now)


async def join(
    db: AsyncSession, caller: Caller, team_id: UUID, agent_id: UUID, *, now: datetime
) -> Team:
    """Take an agent into a team; a repeat changes and records nothing. Raises NotFound, TooMany."""
    team = await queries.locked(db, caller.workspace_id, team_id)
    if not await queries.is_agent(db, caller.workspace_id, agent_id):
        raise NotFound()
    if await queries.membership(db, caller.workspace_id, team.id, agent_id) is None:
        here = (TeamMember.workspace_id == team.workspace_id, TeamMember.team_id == team.id)
        await require_room(db, TeamMember, *here)
        member = AgentId(agent_id)
        db.add(TeamMember(workspace_id=team.workspace_id, team_id=team.id, agent_id=member))
        _record(db, caller, team, Act.TEAM_UPDATED, ["members"], [member], now=now)
        await db.flush()
    return team


async def leave(
    db: AsyncSession, caller: Caller, team_id: UUID, agent_id: UUID, *, now: datetime
) -> None:
    """Take an agent out of a team; one who is not in it changes nothing. Raises NotFound."""
    team = await queries.locked(db, caller.workspace_id, team_id)
    if not await queries.is_agent(db, caller.workspace_id, agent_id):
        raise NotFound()
    found = await queries.membership(db, caller.workspace_id, team.id, agent_id)
    if found is not None:
        await db.delete(found)
        _record(db, caller, team, Act.TEAM_UPDATED, ["members"], [found.agent_id], now=now)


def _record(
    db: AsyncSession,
    caller: Caller,
    team: Team,
    act: Act,
    fields: list[str],
    agent_ids: Sequence[AgentId] = (),
    *,
    now: datetime,
) -> None:
    """Note a change; `agent_ids` are those who joined or left."""
    updated = TeamUpdated(
        workspace_id=team.workspace_id,
        actor=caller.actor,
        at=now,
        team_id=team.id,
        agent_ids=list(agent_ids),
    )
    log.record(db, updated)
    audit.record_by(db, caller, act, now=now, target=Target("team", team.id), fields=fields)
