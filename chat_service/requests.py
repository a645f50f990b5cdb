"""How a request enters the framework: a write with its whole body, in one task.

The framework's own way watches each request for its client's leaving, in a second task, and waits
for the body in a third. A write is never cut by a client that leaves (`server.asgi`), so its body is
read first and its handler runs alone. Everything else goes the framework's own way.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from contextvars import ContextVar
from functools import cache
from typing import Any

from quart import Quart
from quart.asgi import ASGIHTTPConnection
from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.exceptions import BadHost
from werkzeug.routing import MapAdapter

from chat_service.server.asgi import WRITES

_ends: ContextVar[ExitStack] = ContextVar("what is done at the end of the request")


def at_end(function: Callable[[], None]) -> None:
    """Have something done when this request is over, whatever ended it.

    The body of an answer cannot see to that itself: whoever leaves early has none begun.
    """
    _ends.get().callback(function)


class Framework(Quart):
    """Quart, told once and not at each request which functions are coroutines."""

    def __init__(self, name: str) -> None:
        super().__init__(name, static_folder=None)
        self.asgi_http_class = HttpConnection
        self.ensure_async = cache(super().ensure_async)  # type: ignore[method-assign]

    def create_url_adapter(self, request: BaseRequestWebsocket | None) -> MapAdapter | None:
        """Match a request; one whose `Host` is no name of a host is a bad request (RFC 9112, 3.2)."""
        try:
            return super().create_url_adapter(request)
        except BadHost:
            return _Nowhere(self.url_map, "localhost", "/", None, "http", "/", "GET")


class _Nowhere(MapAdapter):
    """Where a request leads that names no host."""

    def match(self, *_: Any, **__: Any) -> Any:
        """Refuse it, in the way of every other error of the framework."""
        raise BadHost()


class HttpConnection(ASGIHTTPConnection):
    """One request; the bounds of its body are MAX_CONTENT_LENGTH and BODY_TIMEOUT."""

    async def __call__(
        self, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """Answer the request, and then do what was asked for by `at_end`."""
        with ExitStack() as ends:
            _ends.set(ends)
            await self._answer(receive, send)

    async def _answer(
        self, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        if self.scope["method"] not in WRITES:
            await super().__call__(receive, send)
            return
        request = self._create_request_from_scope(send)
        # The body is whole when its handler asks for it; where it is late, asking is refused at once.
        request.body_timeout = None
        try:
            async with asyncio.timeout(self.app.config["BODY_TIMEOUT"]):
                announced = request.content_length or 0
                left = await self._read_body(request.body, receive, announced=announced)
        except TimeoutError:
            left, request.body_timeout = False, 0
        if not left:
            await self.handle_request(request, send)

    async def _read_body(
        self, body: Any, receive: Callable[[], Awaitable[Any]], *, announced: int
    ) -> bool:
        """Read until the body is whole or too large; whether the client left before."""
        size, most = 0, self.app.config["MAX_CONTENT_LENGTH"]
        if announced > most:
            body.set_complete()  # nothing of it is awaited: the framework refuses its length
            return False
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return True
            data = message.get("body", b"")
            body.append(data)
            size += len(data)
            if not message.get("more_body", False) or size > most:
                body.set_complete()
                return False
