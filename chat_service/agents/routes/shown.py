"""What the routes that let somebody in share: who asks from where, and what he is answered."""

from quart import Response, request

from chat_service.agents.gate import Gate
from chat_service.agents.logins import Device
from chat_service.agents.rendering import agent_view
from chat_service.agents.transport import SignedIn
from chat_service.model import Agent
from chat_service.web import answer, shared


def gate() -> Gate:
    """What signing in goes by here."""
    return Gate(shared().passwords, shared().keys, shared().auth)


def device() -> Device:
    """From where this request comes, and with what."""
    return Device(request.remote_addr or "", request.headers.get("User-Agent", ""))


def door(*, cookie: bool) -> str:
    """Where sockets are opened, and that a cookie may be given here, before anybody is let in.

    Raises BadRequest, and OriginNotAllowed: another page would choose whom the browser is signed in
    as.
    """
    if cookie:
        shared().site.require_own_page()
    return shared().site.websocket_url()


def signed_in(
    agent: Agent,
    token: str | None,
    websocket_url: str,
    *,
    cookie: bool,
    expires_in: int | None = None,
) -> Response:
    """The answer to who was let in: a token, or the cookie that holds it.

    None for the token of who was in before, whose login has `expires_in` seconds left.
    """
    site = shared().site
    expires_in = shared().auth.agent_token_seconds if expires_in is None else expires_in
    response = answer(
        SignedIn(
            agent=agent_view(agent),
            access_token=None if cookie else token,
            expires_in=expires_in,
            websocket_url=websocket_url,
        )
    )
    if cookie and token is not None:
        site.keep(response, token, seconds=expires_in)
    return response
