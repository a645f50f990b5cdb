"""uvicorn's HTTP protocol with bounds: time and size of a request head, requests in the queue.

Owns what happens before a request is the application's, or a connection that of `websockets`. Leans
on internals of uvicorn 0.54, which is why its minor version is pinned and `require_overrides` is
called at start-up.
"""

import asyncio
import inspect
import json
from http import HTTPStatus
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from chat_service.config import Server
from chat_service.server.drain import Drain

# A client may see the end of an answer, and send its next request, before the application has said
# that it is done; more than a few requests at once are sent by nobody who waits for answers.
UNANSWERED: Final = 8


class HttpProtocol(HttpToolsProtocol):
    """One HTTP connection whose request heads are bounded.

    Once the process is leaving, each answer closes its connection and says so.
    """

    drain: Drain
    head_bytes: int
    head_seconds: float

    _clock: asyncio.TimerHandle | None = None
    _head = 0  # bytes of the request's head and trailers that the parser has handed over
    _held = 0  # bytes received since the parser last handed over anything
    _upgraded = False

    @property
    def idle(self) -> bool:
        """Whether no request waits for its answer."""
        if self.cycle is None:  # before the first request, whatever its annotation says
            return True
        return self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first head has to be complete in time, counted from the connection."""
        super().connection_made(transport)
        self._unanswered: list[RequestResponseCycle] = []
        self._start_clock(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell every request of this connection; uvicorn tells only the one that came last."""
        self._stop_clock()
        super().connection_lost(exc)
        for cycle in self._unanswered:
            if not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Parse, then see to it that the parser holds little and that some clock runs."""
        self._held += len(data)
        super().data_received(data)
        if self._upgraded:
            return
        if self._held > self.head_bytes and not self.transport.is_closing():
            self.send_400_response("")
        if self.idle and self._clock is None:
            # The rest of a body that already had its answer: uvicorn has just stopped its clock.
            self._start_clock(self.timeout_keep_alive)

    def on_message_begin(self) -> None:
        """A head begins: the first one's clock already runs."""
        super().on_message_begin()
        self._head = self._held = 0
        if self.cycle is not None:
            self._start_clock(self.head_seconds)

    def on_url(self, url: bytes) -> None:
        """A part of the request target, within the bound of the head."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head or of the trailers, which share one bound."""
        self._count(len(name) + len(b": ") + len(value) + len(b"\r\n"))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The request is the application's, unless too many wait in front of it."""
        self._stop_clock()
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is before:  # no request, but a connection that is about to be handed over
            if not self.idle:
                raise ValueError("another request waits for its answer")
            return
        waiting = [cycle for cycle in self._unanswered if not cycle.response_complete]
        if len(waiting) == UNANSWERED:
            raise ValueError("too many requests in the queue")
        self._unanswered = [*waiting, self.cycle]
        if self.drain.draining:
            # Told with an answer, no client can have sent another request meanwhile.
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A part of the body, whose bound is the application's."""
        self._held = 0
        super().on_body(body)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to the WebSocket protocol."""
        self._upgraded = True
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed or is too large, and close.

        uvicorn calls it for every error of the parser, those that are raised above among them.
        """
        if not self.idle:
            # There is no place for a second answer inside the first.
            self.transport.abort()
            return
        too_large = max(self._head, self._held) > self.head_bytes
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if too_large else HTTPStatus.BAD_REQUEST
        self.transport.write(problem(status))
        self.transport.close()

    def _count(self, size: int) -> None:
        self._held = 0
        self._head += size
        if self._head > self.head_bytes:
            raise ValueError("the request head is too large")

    def _start_clock(self, seconds: float) -> None:
        self._stop_clock()
        self._clock = self.loop.call_later(seconds, self._expire)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _expire(self) -> None:
        if self.flow.read_paused:
            # The client may have sent it all: it is us who do not read.
            self._start_clock(self.head_seconds)
        else:
            self.transport.abort()


def bounded(config: Server, leaving: Drain) -> type[HttpProtocol]:
    """The protocol with the bounds of `config`; uvicorn makes its objects by itself."""

    class BoundedProtocol(HttpProtocol):
        drain = leaving
        head_bytes = config.head_bytes
        head_seconds = config.head_seconds

    return BoundedProtocol


def require_overrides(ours: type, theirs: type) -> None:
    """Refuse to start when `theirs` lacks a method that `ours` is there to override.

    A renamed method would never be called, and its bound would be gone without a word.
    Raises RuntimeError with the names.
    """
    methods = [name for name, value in vars(ours).items() if inspect.isfunction(value)]
    public = [name for name in methods if not name.startswith("_")]
    if missing := [name for name in public if not hasattr(theirs, name)]:
        raise RuntimeError(f"{theirs.__qualname__} has no {', '.join(missing)}: another uvicorn?")


def problem(status: HTTPStatus) -> bytes:
    """A whole answer as problem details (RFC 9457), after which the connection is closed."""
    fields = {"type": "about:blank", "title": status.phrase, "status": status}
    body = json.dumps(fields, separators=(",", ":"))
    return (
        f"HTTP/1.1 {status} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n{body}"
    ).encode()
