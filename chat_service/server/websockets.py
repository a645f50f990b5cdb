"""uvicorn's WebSocket protocol with bounds: what waits for the application, fragments, the end.

Owns a socket after the head of its request, which `protocols` bounds; the size of a message and
the pings are settings in `process`. Leans on internals of uvicorn 0.54, as `protocols` does.
"""

import asyncio
from http import HTTPStatus
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from chat_service.server.protocols import problem
from chat_service.server.waiting import Gate, Mailbox

FRAGMENTS: Final = 64
"""The most frames of one message."""
CONTROLS: Final = 64
"""The most pings and pongs within a second: the application never sees them, nor bounds them."""
CLOSE_SECONDS: Final = 1.0
"""How long a peer may take to finish a close, and to read what was sent before it."""
PARSED_BYTES: Final = 4_096
"""What is parsed at once. A flood of empty messages, each of which weighs a hundred times what was
sent, so waits as bytes and not as messages."""


def text_frame(payload: bytes) -> bytes:
    """A whole message of text as its sender, a server, frames it (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        head = bytes((0x81, size))
    elif size < 65_536:
        head = b"\x81\x7e" + size.to_bytes(2)
    else:
        head = b"\x81\x7f" + size.to_bytes(8)
    return head + payload


class Conversation(ServerProtocol):
    """One side of RFC 6455 that hears a close wherever it may stand."""

    def recv_frame(self, frame: Frame) -> None:
        """Take a frame. A close in the middle of a message ends it, and is no error (5.4, 5.5.1)."""
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None
        super().recv_frame(frame)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket that holds little of what its peer sends, and that can always be ended."""

    queue: Mailbox  # type: ignore[assignment]
    writable: Gate  # type: ignore[assignment]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = Conversation(max_size=config.ws_max_size, logger=self.conn.logger)
        self.queue, self.writable = Mailbox(), Gate()
        self._unparsed = bytearray()
        self._end: asyncio.TimerHandle | None = None
        self._controls = 0
        self._controls_since = 0.0

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the application, which may still take what came before."""
        super().connection_lost(exc)
        self._unparsed.clear()
        if self._end is not None:
            self._end.cancel()

    def resume_writing(self) -> None:
        """Go on with a peer that reads again: until then not even a ping is taken from it."""
        super().resume_writing()
        self._parse()

    def data_received(self, data: bytes) -> None:
        """Parse what is wanted now; the rest is held, and holds the peer back."""
        if not self.disconnected:
            self._unparsed += data
            self._parse()

    def handle_cont(self, event: Frame) -> None:
        """Go on with a message, unless it has too many parts."""
        if len(self.frames) == FRAGMENTS:
            self._fail(CloseCode.POLICY_VIOLATION, "too many fragments")
        if not self.close_sent:
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """Answer, unless too many come."""
        self._count_control()
        super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        """Take it as the answer to our ping if it is one, unless too many come."""
        self._count_control()
        super().handle_pong(event)

    def send_receive_event_to_app(self) -> None:
        """Queue a whole message for the application, be it empty."""
        data, self.frames = b"".join(self.frames), []
        if self.close_sent:
            return
        if self.curr_msg_data_type == "bytes":
            self.queue.put_nowait({"type": "websocket.receive", "bytes": data})
            return
        try:
            self.queue.put_nowait({"type": "websocket.receive", "text": data.decode()})
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA, "invalid UTF-8")

    def keepalive_timeout(self) -> None:
        """Give up a peer that answers no ping."""
        super().keepalive_timeout()
        self.disconnected = True
        self._expect_end()

    def shutdown(self) -> None:
        """Close with 1012, or refuse with 503 who is not accepted yet; again changes nothing."""
        self._leave(CloseCode.SERVICE_RESTART, HTTPStatus.SERVICE_UNAVAILABLE)

    def send_500_response(self) -> None:
        """Close with 1011, or refuse with 500, because the application failed."""
        self._leave(CloseCode.INTERNAL_ERROR, HTTPStatus.INTERNAL_SERVER_ERROR)

    async def run_asgi(self) -> None:
        """Run the application, whose return is the end of the connection."""
        await super().run_asgi()
        self._expect_end()

    async def send(self, message: Any) -> None:
        """Send for the application; raises OSError once the connection has ended."""
        text = message.get("text")
        if text is not None and self._takes_text():
            self.transport.write(text_frame(text.encode()))
        else:
            await super().send(message)
            # uvicorn takes a refusal for no answer at all, and would log it as an error.
            self.handshake_complete |= self.close_sent
            self._forget_head()
        if self._unparsed or self.close_sent:
            self._parse()

    async def receive(self) -> Any:
        """The next event for the application; what was held back may follow."""
        message = await self.queue.get()
        self._parse()
        return message

    def _parse(self) -> None:
        """Parse while somebody wants what comes of it, and read on when nothing is held."""
        while self._unparsed and self._wanted():
            part = bytes(self._unparsed[:PARSED_BYTES])
            del self._unparsed[:PARSED_BYTES]
            self._parse_part(part)
        if self.close_sent or self.transport.is_closing():
            self._expect_end()
        self._hold(bool(self._unparsed))

    def _forget_head(self) -> None:
        """Once a socket is open nobody asks for its request and the answer to that any more."""
        if self.handshake_complete:
            self.request = self.response = None  # type: ignore[assignment]

    def _takes_text(self) -> bool:
        """Whether a text may leave at once and as it is: the way of nearly all that is sent."""
        return (
            self.handshake_complete
            and self.conn.state is State.OPEN
            and not self.disconnected
            and self.writable.is_set()
        )

    def _wanted(self) -> bool:
        if not self.writable.is_set():
            return False
        if self.handshake_complete:
            return self.close_sent or not self.queue
        return not self.handshake_initiated

    def _parse_part(self, part: bytes) -> None:
        self.conn.receive_data(part)
        self.handle_events()
        if self.disconnected or self.conn.parser_exc is not None:
            self._finish(b"".join(self.conn.data_to_send()))
        elif self.conn.handshake_exc is not None and not self.handshake_initiated:
            # A head within our bounds and not within those of the library.
            self._finish(b"".join(self.conn.data_to_send()) or problem(HTTPStatus.BAD_REQUEST))

    def _count_control(self) -> None:
        now = self.loop.time()
        if now - self._controls_since >= 1:
            self._controls, self._controls_since = 0, now
        self._controls += 1
        if self._controls > CONTROLS:
            self._fail(CloseCode.POLICY_VIOLATION, "too many pings")

    def _hold(self, held: bool) -> None:
        if held != self.read_paused and not self.transport.is_closing():
            self.read_paused = held
            (self.transport.pause_reading if held else self.transport.resume_reading)()

    def _leave(self, code: CloseCode, status: HTTPStatus) -> None:
        """End a socket by `code`, or before there is one its request by `status`."""
        if self.close_sent or self.transport.is_closing():
            return
        if self.handshake_complete:
            self._fail(code, "")
            self._finish(b"".join(self.conn.data_to_send()))
        else:
            self._finish(problem(status))

    def _fail(self, code: CloseCode, reason: str) -> None:
        """Close by our own decision, whatever still comes; `_finish` has to follow."""
        self.conn.fail(code, reason)
        self.close_sent = self.disconnected = True

    def _finish(self, last: bytes) -> None:
        """Send `last` and no more, and give the peer a moment to read it.

        To close at once would reset the connection under what the peer has just sent, and the
        reason would be lost with it.
        """
        closed = self.conn.close_sent
        code = closed.code if closed is not None else CloseCode.ABNORMAL_CLOSURE
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code})
        self.stop_keepalive()
        self.transport.write(last)
        self.transport.write_eof()
        self.handshake_complete = self.close_sent = self.disconnected = True
        self._unparsed.clear()
        self._hold(False)
        self._expect_end()
        self.close_timer = self._end  # else the return of the application would close at once

    def _expect_end(self) -> None:
        """Abort the connection if it has not ended in a moment."""
        if self._end is None and self in self.connections:
            self._end = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)
