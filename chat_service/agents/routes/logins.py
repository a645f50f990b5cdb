"""Where agents are signed in: listed, and ended; and another password, which ends all others."""

from uuid import UUID

from quart import Blueprint, Response

from chat_service.agents import joining, logins, queries
from chat_service.agents.rendering import login_view
from chat_service.agents.routes.shown import gate
from chat_service.agents.standing import require_over_agent
from chat_service.agents.transport import ChangePassword, LoginList
from chat_service.auth import Caller, require
from chat_service.errors import InvalidGrant, NotFound, Overloaded, TooManyTries
from chat_service.events.transaction import reading, transaction
from chat_service.schema import Permission
from chat_service.transport import Query
from chat_service.web import Who, answer, caller, document, now, parse, query

blueprint = Blueprint("logins", __name__, url_prefix="/v1/agents")
STAFF = Who.AGENT | Who.KEY


@blueprint.get("/me/logins")
@document(Who.AGENT, answers={200: LoginList})
async def list_own_logins() -> Response:
    """List where one is signed in."""
    query(Query)
    who = await caller()
    return await _list(who, who.agent_id)


@blueprint.delete("/me/logins/<uuid:login_id>")
@document(Who.AGENT, answers={204: None}, errors=[NotFound])
async def end_own_login(login_id: UUID) -> Response:
    """End one of one's own logins, with its sockets and streams."""
    query(Query)
    who = await caller()
    async with transaction() as db:
        await logins.end_one(db, who, login_id, now=now())
    return answer(None, 204)


@blueprint.delete("/me/logins")
@document(Who.AGENT, answers={204: None})
async def end_other_logins() -> Response:
    """End all of one's logins but the one that asks."""
    query(Query)
    who = await caller()
    async with transaction() as db:
        await logins.end_others(db, who, now=now())
    return answer(None, 204)


@blueprint.get("/<uuid:agent_id>/logins")
@document(STAFF, answers={200: LoginList}, errors=[NotFound])
async def list_logins(agent_id: UUID) -> Response:
    """List where an agent is signed in."""
    query(Query)
    who = await caller()
    require(who, Permission.AGENTS_MANAGE)
    return await _list(who, agent_id)


@blueprint.delete("/<uuid:agent_id>/logins")
@document(STAFF, answers={204: None}, errors=[NotFound])
async def end_logins(agent_id: UUID) -> Response:
    """Sign an agent out everywhere."""
    query(Query)
    who = await caller()
    require(who, Permission.AGENTS_MANAGE)
    async with transaction() as db:
        agent = await queries.access(db, who.workspace_id, agent_id)
        await require_over_agent(db, who, agent)
        await logins.end_all(db, who, agent.id, now=now())
    return answer(None, 204)


@blueprint.post("/me/password")
@document(
    Who.AGENT,
    body=ChangePassword,
    answers={204: None},
    errors=[InvalidGrant, TooManyTries, Overloaded],
)
async def change_password() -> Response:
    """Choose another password; all other logins and links end."""
    body, who = await parse(ChangePassword), await caller()
    await joining.change_password(
        gate(),
        who,
        old=body.old_password,
        password=body.password,
        now=now(),
    )
    return answer(None, 204)


async def _list(who: Caller, agent_id: UUID) -> Response:
    async with reading() as db:
        await queries.access(db, who.workspace_id, agent_id)
        found = await logins.living(db, who.workspace_id, agent_id, now=now())
    return answer(LoginList(data=[login_view(who, login) for login in found]))
