"""Who the agents are: read, invited, changed, activated, given a link.

Deactivating one is in `sessions.routes`: it returns the chats he holds to the queue.
"""

from typing import Final
from uuid import UUID

from quart import Blueprint, Response

from chat_service.agents import accounts, queries
from chat_service.agents.letters import letter_with
from chat_service.agents.rendering import invited_view, managed_view, own_view, view_for
from chat_service.agents.transport import (
    AgentList,
    AgentResponse,
    InvitedResponse,
    NewAgent,
    OwnAgentResponse,
    PatchAgent,
)
from chat_service.auth import require
from chat_service.errors import AgentDeactivated, EmailTaken, LastOwner, NotFound, TooMany
from chat_service.events.transaction import reading, transaction
from chat_service.schema import Permission
from chat_service.transport import LOCATION, Empty, Query
from chat_service.web import Who, answer, caller, document, now, parse, query, shared

blueprint = Blueprint("accounts", __name__, url_prefix="/v1/agents")
STAFF: Final = Who.AGENT | Who.KEY


@blueprint.get("")
@document(STAFF, answers={200: AgentList})
async def list_agents() -> Response:
    """List all members of staff. An API key needs `agents:manage`."""
    query(Query)
    who = await caller()
    if who.role is None:
        require(who, Permission.AGENTS_MANAGE)
    async with reading() as db:
        found = await queries.listed(db, who.workspace_id)
    return answer(AgentList(data=[view_for(who, agent) for agent in found]))


@blueprint.get("/me")
@document(Who.AGENT, answers={200: OwnAgentResponse})
async def get_own_agent() -> Response:
    """Read who one is oneself, and what one may do."""
    query(Query)
    who = await caller()
    async with reading() as db:
        agent = await queries.by_id(db, who.workspace_id, who.agent_id)
    return answer(OwnAgentResponse(agent=own_view(who, agent)))


@blueprint.get("/<uuid:agent_id>")
@document(STAFF, answers={200: AgentResponse}, errors=[NotFound])
async def get_agent(agent_id: UUID) -> Response:
    """Read one member of staff. An API key needs `agents:manage`."""
    query(Query)
    who = await caller()
    if who.role is None:
        require(who, Permission.AGENTS_MANAGE)
    async with reading() as db:
        agent = await queries.access(db, who.workspace_id, agent_id)
    return answer(AgentResponse(agent=view_for(who, agent)))


@blueprint.post("")
@document(
    Who.AGENT,
    body=NewAgent,
    answers={201: InvitedResponse},
    errors=[EmailTaken, TooMany],
    gives=[LOCATION],
)
async def invite_agent() -> Response:
    """Invite somebody: an account without a password, and a link to choose one, good for a week.

    The link goes by e-mail as well, where a mail server is set. Nobody gives a role that may do more
    than he may himself; only an owner makes an owner.
    """
    body, who, public_url = await parse(NewAgent), await caller(), shared().site.origins.public_url
    require(who, Permission.AGENTS_MANAGE)
    async with transaction() as db:
        agent, link = await accounts.invite(
            db,
            who,
            shared().auth,
            email=body.email,
            name=body.display_name,
            role=body.role,
            role_id=body.role_id,
            now=now(),
        )
        letter = await letter_with(db, agent, link, public_url)
    shared().mailer.send(letter)
    place = {"Location": f"/v1/agents/{agent.id}"}
    return answer(invited_view(agent, link, public_url), 201, headers=place)


@blueprint.patch("/<uuid:agent_id>")
@document(
    Who.AGENT,
    body=PatchAgent,
    answers={200: AgentResponse},
    errors=[NotFound, LastOwner],
)
async def patch_agent(agent_id: UUID) -> Response:
    """Change name or role of an agent. Another role signs him out everywhere."""
    body, who = await parse(PatchAgent), await caller()
    require(who, Permission.AGENTS_MANAGE)
    async with transaction() as db:
        agent = await accounts.patch(
            db,
            who,
            agent_id,
            name=body.display_name,
            role=body.role,
            role_id=body.role_id,
            now=now(),
        )
    return answer(AgentResponse(agent=managed_view(agent)))


@blueprint.post("/<uuid:agent_id>/activate")
@document(Who.AGENT, body=Empty, answers={200: AgentResponse}, errors=[NotFound])
async def activate_agent(agent_id: UUID) -> Response:
    """Let a deactivated agent in again; activating one who is active answers 200 again."""
    await parse(Empty)
    who = await caller()
    require(who, Permission.AGENTS_MANAGE)
    async with transaction() as db:
        agent = await accounts.activate(db, who, agent_id, now=now())
    return answer(AgentResponse(agent=managed_view(agent)))


@blueprint.post("/<uuid:agent_id>/link")
@document(
    Who.AGENT,
    body=Empty,
    answers={201: InvitedResponse},
    errors=[NotFound, AgentDeactivated],
)
async def create_link(agent_id: UUID) -> Response:
    """Make a new link for an agent; his older ones end.

    For who is invited it is an invitation, for who is active a recovery, good for half an hour.
    """
    await parse(Empty)
    who, public_url = await caller(), shared().site.origins.public_url
    require(who, Permission.AGENTS_MANAGE)
    async with transaction() as db:
        agent, link = await accounts.renew_link(db, who, agent_id, shared().auth, now=now())
        letter = await letter_with(db, agent, link, public_url)
    shared().mailer.send(letter)
    return answer(invited_view(agent, link, public_url), 201)
