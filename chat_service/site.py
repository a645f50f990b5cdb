"""The service as a browser reached it: its own pages, and the cookie of a login on them.

Owns the cookie, which stands for an agent's token and for nothing else, and the rule that a write by
it comes from the service's own pages. Leaves whose token it is to `auth`, other pages to `origins`.
"""

from typing import Final

from quart import Response, request

from chat_service.auth import Caller
from chat_service.errors import OriginNotAllowed, Unauthenticated
from chat_service.origins import Origins, websocket_url

COOKIE: Final = "__Host-chat"
"""Kept by browsers for this host alone, and only with `Secure` and without `Domain` (RFC 6265bis)."""
PLAIN_COOKIE: Final = "chat"
"""In development without TLS: not every browser takes a secure cookie from http://localhost."""
READS: Final = ("GET", "HEAD")
BY_ANY_NAME: Final = ("/health", "/health/live", "/health/ready", "/metrics")
"""Those who watch the service ask each process by its address."""


class Site:
    """What a request tells of the service itself. Each method is about the request being answered."""

    def __init__(self, origins: Origins, *, development: bool) -> None:
        self.origins = origins
        self._development = development

    async def check_host(self) -> None:
        """Refuse what was sent to another service; raises Misdirected."""
        if request.path not in BY_ANY_NAME:
            self.origins.check_host(request.headers.get("Host", ""))

    def origin(self) -> str:
        """The origin of the service's own pages; raises BadRequest for a `Host` that is none."""
        return self.origins.own(request.scheme, request.headers.get("Host", ""))

    def websocket_url(self) -> str:
        """Where sockets are opened; raises BadRequest for a `Host` that is none."""
        return websocket_url(self.origin())

    def foreign_origin(self) -> str | None:
        """The origin of another site's page; None for one of the service itself, and for no page."""
        origin = request.headers.get("Origin")
        return None if origin == self.origin() else origin

    def require_own_page(self) -> None:
        """Refuse what was not sent by a page of the service itself; raises OriginNotAllowed."""
        if request.headers.get("Origin") != self.origin():
            raise OriginNotAllowed("Only a page of the service itself may send this")

    async def require_page_of(self, caller: Caller) -> None:
        """Refuse a customer's token on a page of another site; raises OriginNotAllowed.

        On REST as on sockets a customer is heard on pages of his own inbox and of the service. The
        token of staff speaks for itself: their pages are not asked, and told nothing (`cors`).
        """
        origin = request.headers.get("Origin")
        if origin is None or not caller.is_customer:
            return
        if not await self.origins.allowed_for(caller, origin, own=self.origin()):
            raise OriginNotAllowed()

    def token(self) -> str:
        """The agent's token in the cookie.

        Raises Unauthenticated, and OriginNotAllowed for a write of another page, since a browser
        sends the cookie whichever page asks.
        """
        token = request.cookies.get(self._name(), "")
        if not token.startswith("at_"):
            raise Unauthenticated()
        if request.method not in READS:
            self.require_own_page()
        return token

    def keep(self, response: Response, token: str, *, seconds: int) -> None:
        """Have the browser keep an agent's token, out of reach of scripts and of other sites."""
        self._set(response, token, seconds)

    def forget(self, response: Response) -> None:
        """Have the browser drop the token, where it was the cookie that signed this request.

        It may have ended. Another page, which cannot send the cookie, does not take it away either.
        """
        by_cookie = "Authorization" not in request.headers and self._name() in request.cookies
        if by_cookie and request.headers.get("Origin") == self.origin():
            self._set(response, "", 0)

    def _set(self, response: Response, value: str, seconds: int) -> None:
        response.set_cookie(
            self._name(),
            value,
            max_age=seconds,
            path="/",
            secure=self._name() == COOKIE,
            httponly=True,
            samesite="Strict",
        )

    def _name(self) -> str:
        plain = self._development and self.origin().startswith("http:")
        return PLAIN_COOKIE if plain else COOKIE
