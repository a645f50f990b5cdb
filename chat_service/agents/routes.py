"""Signing in and out."""

from quart import Blueprint, Response, request

from chat_service.agents import services
from chat_service.agents.transport import AgentView, SignedIn, SignIn
from chat_service.errors import InvalidGrant, Overloaded, TooManyTries
from chat_service.events.transaction import transaction
from chat_service.transport import Empty
from chat_service.web import Who, answer, caller, document, now, parse, shared

blueprint = Blueprint("auth", __name__, url_prefix="/v1/auth")


@blueprint.post("/sign-in")
@document(
    Who.PUBLIC,
    body=SignIn,
    answers={200: SignedIn},
    errors=[InvalidGrant, TooManyTries, Overloaded],
)
async def sign_in() -> Response:
    """Sign an agent in by e-mail and password."""
    body = await parse(SignIn)
    agent, token = await services.sign_in(
        shared().passwords,
        shared().auth,
        email=body.email,
        password=body.password,
        workspace=body.workspace,
        address=request.remote_addr or "",
        now=now(),
    )
    view = AgentView(
        object="agent",
        id=agent.id,
        workspace_id=agent.workspace_id,
        email=agent.email,
        display_name=agent.name,
        role=agent.role,
    )
    expires_in = shared().auth.agent_token_seconds
    return answer(SignedIn(agent=view, access_token=token, expires_in=expires_in))


@blueprint.post("/sign-out")
@document(Who.CUSTOMER | Who.AGENT, body=Empty, answers={204: None})
async def sign_out() -> Response:
    """End the token of this request, and with a customer's all that were made from it."""
    await parse(Empty)
    who = await caller()
    async with transaction() as db:
        await services.sign_out(db, who, now=now())
    return answer(None, 204)
