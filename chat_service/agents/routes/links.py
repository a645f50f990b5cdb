"""Choosing a password by a one-time link, and asking for one by mail."""

from quart import Blueprint, Response

from chat_service.agents import joining
from chat_service.agents.joining import Choice
from chat_service.agents.routes.shown import device, door, gate, signed_in
from chat_service.agents.transport import AskRecovery, SignedIn, UseLink
from chat_service.errors import (
    InvalidGrant,
    OriginNotAllowed,
    Overloaded,
    SecondFactorRequired,
    TooManyTries,
)
from chat_service.transport import SET_COOKIE
from chat_service.web import Who, answer, document, now, parse, shared

blueprint = Blueprint("links", __name__, url_prefix="/v1/auth")


@blueprint.post("/links")
@document(
    Who.PUBLIC,
    body=UseLink,
    answers={200: SignedIn},
    errors=[InvalidGrant, SecondFactorRequired, TooManyTries, Overloaded, OriginNotAllowed],
    gives=[SET_COOKIE],
)
async def use_link() -> Response:
    """Choose a password by a link, which works once, and be signed in.

    An invited agent is active by it. All other logins and links of the agent end; a second factor
    stays, and is asked for.
    """
    body = await parse(UseLink)
    websocket_url = door(cookie=body.cookie)
    choice = Choice(body.token, body.password, body.display_name, body.code)
    agent, token = await joining.join(gate(), choice, device(), now=now())
    return signed_in(agent, token, websocket_url, cookie=body.cookie)


@blueprint.post("/recovery")
@document(Who.PUBLIC, body=AskRecovery, answers={202: None}, errors=[TooManyTries])
async def ask_for_recovery() -> Response:
    """Have a link sent to who forgot a password. The answer is the same whether anybody did.

    Where no mail server is set nothing is sent: somebody who manages agents makes the link then.
    """
    body, mailer = await parse(AskRecovery), shared().mailer
    letter = await joining.ask_for_recovery(
        gate(),
        email=body.email,
        workspace=body.workspace,
        address=device().address,
        public_url=shared().site.origins.public_url if mailer.is_set else "",
        now=now(),
    )
    mailer.send(letter)
    return answer(None, 202)
