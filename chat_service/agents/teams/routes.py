"""Which teams there are and who is in them; teams made, changed, filled and removed."""

from typing import Any
from uuid import UUID

from quart import Blueprint, Response
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents.teams import queries, services
from chat_service.agents.teams.transport import (
    MemberView,
    NewTeam,
    PatchTeam,
    TeamList,
    TeamResponse,
    TeamView,
    TeamWithMembers,
)
from chat_service.auth import Caller, require
from chat_service.errors import NameTaken, NotFound, TeamInUse, TooMany
from chat_service.events.transaction import reading, transaction
from chat_service.model import Team
from chat_service.schema import Permission, TokenKind
from chat_service.transport import LOCATION, Empty, Query
from chat_service.web import Who, answer, caller, document, now, parse, query

blueprint = Blueprint("teams", __name__, url_prefix="/v1/teams")
STAFF = Who.AGENT | Who.KEY


@blueprint.get("")
@document(STAFF, answers={200: TeamList})
async def list_teams() -> Response:
    """All teams, for any agent; for a key that manages them."""
    query(Query)
    who = await _reader()
    async with reading() as db:
        found = await queries.of(db, who.workspace_id)
    return answer(TeamList(data=[TeamView(**_fields(team)) for team in found]))


@blueprint.post("")
@document(
    STAFF, body=NewTeam, answers={201: TeamResponse}, errors=[NameTaken, TooMany], gives=[LOCATION]
)
async def create_team() -> Response:
    """Make a team."""
    body, who = await parse(NewTeam), await caller()
    require(who, Permission.TEAMS_MANAGE)
    async with transaction() as db:
        team = await services.create(db, who, name=body.name, now=now())
        shown = await _shown(db, team)
    return answer(shown, 201, headers={"Location": f"/v1/teams/{team.id}"})


@blueprint.get("/<uuid:team_id>")
@document(STAFF, answers={200: TeamResponse}, errors=[NotFound])
async def get_team(team_id: UUID) -> Response:
    """One team with its members, for any agent; for a key that manages them."""
    query(Query)
    who = await _reader()
    async with reading() as db:
        shown = await _shown(db, await queries.access(db, who.workspace_id, team_id))
    return answer(shown)


@blueprint.patch("/<uuid:team_id>")
@document(STAFF, body=PatchTeam, answers={200: TeamResponse}, errors=[NotFound, NameTaken])
async def patch_team(team_id: UUID) -> Response:
    """Change the name of a team."""
    body, who = await parse(PatchTeam), await caller()
    require(who, Permission.TEAMS_MANAGE)
    async with transaction() as db:
        team = await services.change(db, who, team_id, name=body.name, now=now())
        shown = await _shown(db, team)
    return answer(shown)


@blueprint.delete("/<uuid:team_id>")
@document(STAFF, answers={204: None}, errors=[NotFound, TeamInUse])
async def delete_team(team_id: UUID) -> Response:
    """Remove a team that no session was given to."""
    query(Query)
    who = await caller()
    require(who, Permission.TEAMS_MANAGE)
    async with transaction() as db:
        await services.remove(db, who, team_id, now=now())
    return answer(None, 204)


@blueprint.put("/<uuid:team_id>/members/<uuid:agent_id>")
@document(STAFF, body=Empty, answers={200: TeamResponse}, errors=[NotFound, TooMany])
async def put_member(team_id: UUID, agent_id: UUID) -> Response:
    """Take an agent into a team. His sockets and streams are closed with 4003 and come again."""
    await parse(Empty)
    who = await caller()
    require(who, Permission.TEAMS_MANAGE)
    async with transaction() as db:
        team = await services.join(db, who, team_id, agent_id, now=now())
        shown = await _shown(db, team)
    return answer(shown)


@blueprint.delete("/<uuid:team_id>/members/<uuid:agent_id>")
@document(STAFF, answers={204: None}, errors=[NotFound])
async def delete_member(team_id: UUID, agent_id: UUID) -> Response:
    """Take an agent out of a team. His sockets and streams are closed with 4003 and come again."""
    query(Query)
    who = await caller()
    require(who, Permission.TEAMS_MANAGE)
    async with transaction() as db:
        await services.leave(db, who, team_id, agent_id, now=now())
    return answer(None, 204)


async def _reader() -> Caller:
    who = await caller()
    if who.kind is TokenKind.KEY:
        require(who, Permission.TEAMS_MANAGE)
    return who


async def _shown(db: AsyncSession, team: Team) -> TeamResponse:
    rows = await queries.members(db, team.workspace_id, team.id)
    members = [MemberView(id=row.id, display_name=row.name) for row in rows]
    return TeamResponse(team=TeamWithMembers(**_fields(team), members=members))


def _fields(team: Team) -> dict[str, Any]:
    return {"object": "team", "id": team.id, "name": team.name, "created_at": team.created_at}
