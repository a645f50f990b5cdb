"""Signing in and out, tickets for sockets, and what agents tell of themselves."""

from typing import Final

from quart import Blueprint, Response, request

from chat_service.agents import queries, services, signing_in
from chat_service.agents.routes.shown import device, door, gate, signed_in
from chat_service.agents.signing_in import Credentials
from chat_service.agents.transport import (
    AvailabilityResponse,
    NewTicket,
    PatchAvailability,
    SignedIn,
    SignIn,
    TicketResponse,
)
from chat_service.errors import (
    InvalidGrant,
    OriginNotAllowed,
    Overloaded,
    SecondFactorRequired,
    TooManyTries,
)
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
    errors=[InvalidGrant, SecondFactorRequired, TooManyTries, Overloaded, OriginNotAllowed],
    gives=[SET_COOKIE],
)
async def sign_in() -> Response:
    """Sign an agent in by e-mail and password, and by a `code` where he has a second factor.

    With `cookie` only a page of the service itself may do so: another one would choose whom the
    browser is signed in as.
    """
    body = await parse(SignIn)
    websocket_url = door(cookie=body.cookie)
    shown = Credentials(body.email, body.password, body.workspace, body.code)
    agent, token = await signing_in.sign_in(gate(), shown, device(), now=now())
    return signed_in(agent, token, websocket_url, cookie=body.cookie)


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
        agent = await queries.by_id(db, who.workspace_id, who.agent_id)
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
