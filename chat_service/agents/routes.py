"""Signing in and out, tickets for sockets, and what agents tell of themselves."""

from typing import Final
from uuid import UUID

from quart import Blueprint, Response, request

from chat_service.agents import queries, services
from chat_service.agents.rendering import agent_view
from chat_service.agents.transport import (
    AvailabilityResponse,
    NewTicket,
    PatchAvailability,
    SignedIn,
    SignIn,
    TicketResponse,
)
from chat_service.errors import InvalidGrant, OriginNotAllowed, Overloaded, TooManyTries
from chat_service.events.transaction import reading, transaction
from chat_service.tickets import SECONDS, issue_ticket
from chat_service.transport import SET_COOKIE, Empty, Query
from chat_service.web import Who, answer, caller, document, now, parse, query, shared

blueprint = Blueprint("auth", __name__, url_prefix="/v1/auth")
tickets = Blueprint("tickets", __name__, url_prefix="/v1/realtime")
agents = Blueprint("agents", __name__, url_prefix="/v1/agents")
PROTOCOL: Final = "chat.v1"


@blueprint.post("/sign-in")
@document(
    Who.PUBLIC,
    body=SignIn,
    answers={200: SignedIn},
    errors=[InvalidGrant, TooManyTries, Overloaded, OriginNotAllowed],
    gives=[SET_COOKIE],
)
async def sign_in() -> Response:
    """Sign an agent in by e-mail and password.

    With `cookie` only a page of the service itself may do so: another one would choose whom the
    browser is signed in as.
    """
    body, site = await parse(SignIn), shared().site
    websocket_url, expires_in = site.websocket_url(), shared().auth.agent_token_seconds
    if body.cookie:
        site.require_own_page()
    agent, token = await services.sign_in(
        shared().passwords,
        shared().auth,
        email=body.email,
        password=body.password,
        workspace=body.workspace,
        address=request.remote_addr or "",
        now=now(),
    )
    response = answer(
        SignedIn(
            agent=agent_view(agent),
            access_token=None if body.cookie else token,
            expires_in=expires_in,
            websocket_url=websocket_url,
        )
    )
    if body.cookie:
        site.keep(response, token, seconds=expires_in)
    return response


@blueprint.post("/sign-out")
@document(Who.CUSTOMER | Who.AGENT, body=Empty, answers={204: None}, gives=[SET_COOKIE])
async def sign_out() -> Response:
    """End the token of this request, and with a customer's all that were made from it.

    A cookie that held the token is taken away.
    """
    await parse(Empty)
    who = await caller()
    async with transaction() as db:
        await services.sign_out(db, who, now=now())
    response = answer(None, 204)
    shared().site.forget(response)
    return response


@tickets.post("/tickets")
@document(Who.AGENT, body=NewTicket, answers={201: TicketResponse})
async def create_ticket() -> Response:
    """Get a ticket to open a socket with, where the token is in a cookie.

    It is good for one `hello` of this device on a page of the same origin, within 30 seconds and
    while the login lasts.
    """
    body, who, site = await parse(NewTicket), await caller(), shared().site
    websocket_url, origin = site.websocket_url(), request.headers.get("Origin")
    if origin is not None:
        site.require_own_page()
    async with transaction() as db:
        ticket = await issue_ticket(db, who, device_id=body.device_id, origin=origin, now=now())
    return answer(
        TicketResponse(
            ticket=ticket, expires_in=SECONDS, websocket_url=websocket_url, protocol=PROTOCOL
        ),
        201,
    )


@agents.get("/me/availability")
@document(Who.AGENT, answers={200: AvailabilityResponse})
async def get_availability() -> Response:
    """What the agent tells of himself."""
    query(Query)
    who = await caller()
    async with reading() as db:
        agent = await queries.by_id(db, who.workspace_id, UUID(str(who.actor.id)))
    return answer(AvailabilityResponse.model_validate(agent))


@agents.patch("/me/availability")
@document(Who.AGENT, body=PatchAvailability, answers={200: AvailabilityResponse})
async def patch_availability() -> Response:
    """Tell whether the agent is there and takes new chats; it holds until it is changed."""
    body, who = await parse(PatchAvailability), await caller()
    async with transaction() as db:
        agent = await services.set_availability(
            db, who, availability=body.availability, accepting_chats=body.accepting_chats
        )
    shared().states.agent_changed(who.workspace_id)
    return answer(AvailabilityResponse.model_validate(agent))
