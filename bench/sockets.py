"""A WebSocket client cheap enough not to be what is measured, and a chat's client on top of it.

Owns the wire: the upgrade, text frames both ways, the answers to pings. What is sent comes ready
made. Leans on the servers to be right: it checks lengths and kinds of frames, and nothing else.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final, cast

import orjson

from bench.load import LoadError

TEXT: Final = 0x81
CLOSE: Final = 0x88
PING: Final = 0x89
PONG: Final = 0x8A
MASKED: Final = 0x80
NO_MASK: Final = bytes(4)
"""The key of a mask that changes nothing: a client must mask, and may do so with any key."""
ANSWER_SECONDS: Final = 30.0

Hear = Callable[[bytes], None]


def frame(kind: int, payload: bytes) -> bytes:
    """A whole frame of a client."""
    size = len(payload)
    if size < 126:
        return bytes((kind, MASKED | size)) + NO_MASK + payload
    return bytes((kind, MASKED | 126)) + size.to_bytes(2, "big") + NO_MASK + payload


class Socket(asyncio.Protocol):
    """One WebSocket; `hear` gets the text of each frame at once."""

    def __init__(self, path: str, subprotocol: str | None, hear: Hear) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self.hear = hear
        self._request = _upgrade(path, subprotocol)
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        # A transport for reading and writing, whatever the annotation of the protocol says.
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits learns it."""
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionResetError())
        if not self.lost.done():
            self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Take the answer to the upgrade, then frames."""
        held = self._held + data if self._held else data
        if not self.opened.done():
            head, found, held = held.partition(b"\r\n\r\n")
            if not found:
                self._held = head
                return
            if not self._open(head):
                return
        self._held = self._take(held)

    def say(self, text: bytes) -> None:
        """Send a frame."""
        self.transport.write(frame(TEXT, text))

    def _open(self, head: bytes) -> bool:
        if head.startswith(b"HTTP/1.1 101"):
            self.opened.set_result(None)
            return True
        self.opened.set_exception(ConnectionRefusedError(head.decode("latin-1")))
        self.transport.abort()
        return False

    def _take(self, held: bytes) -> bytes:
        """Hear what is whole; returns the rest."""
        at, size = 0, len(held)
        while size - at >= 2:
            length, begin = held[at + 1], at + 2
            if length == 126:
                length, begin = int.from_bytes(held[begin : begin + 2], "big"), begin + 2
            elif length == 127:
                length, begin = int.from_bytes(held[begin : begin + 8], "big"), begin + 8
            if begin + length > size:
                break
            self._hear(held[at], held[begin : begin + length])
            at = begin + length
        return held[at:]

    def _hear(self, kind: int, payload: bytes) -> None:
        if kind == TEXT:
            self.hear(payload)
        elif kind == PING:
            self.transport.write(frame(PONG, payload))
        elif kind not in (PONG, CLOSE):
            raise LoadError(f"a frame of kind {kind:#x}")


async def connect(
    port: int,
    path: str,
    hear: Hear,
    *,
    subprotocol: str | None = None,
    receive_bytes: int | None = None,
) -> Socket:
    """An open socket to a server on this machine; raises OSError where it is refused.

    `receive_bytes` is what the system may hold for it on this side.
    """
    loop = asyncio.get_running_loop()
    wire = socket.socket()
    wire.setblocking(False)
    if receive_bytes is not None:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    try:
        await loop.sock_connect(wire, ("127.0.0.1", port))
    except BaseException:
        wire.close()
        raise
    _, opened = await loop.create_connection(lambda: Socket(path, subprotocol, hear), sock=wire)
    async with asyncio.timeout(ANSWER_SECONDS):
        await opened.opened
    return opened


class Talk:
    """A socket of the service: who calls, what he follows, and the cursor he would resume from.

    `hear` gets what is no answer: frames of events, which come often, as they are.
    """

    def __init__(self, port: int, token: str, hear: Hear = lambda _: None) -> None:
        self._port = port
        self._hello = orjson.dumps({"op": "hello", "token": token})
        self._hear = hear
        self._waits: dict[str, asyncio.Future[bytes]] = {}
        self.cursor: str | None = None
        self._farewell = "without a word"

    async def open(self, *, receive_bytes: int | None = None) -> None:
        """Connect and say hello; raises OSError where that cannot be."""
        self.socket = await connect(
            self._port,
            "/v1/realtime",
            self._receive,
            subprotocol="chat.v1",
            receive_bytes=receive_bytes,
        )
        self.socket.say(self._hello)
        await self._until("welcome")

    async def begin(self, session_id: str, *, receive_bytes: int | None = None) -> None:
        """Open, and follow a session from a snapshot on."""
        await self.open(receive_bytes=receive_bytes)
        await self.follow(session_id)

    async def follow(self, session_id: str, after: str | None = None) -> None:
        """Follow a session until it is live, from a cursor or from a snapshot on."""
        asked = {"op": "subscribe", "id": 1, "stream": f"session:{session_id}"}
        begin = {"after": after} if after else {"snapshot": {"messages": 0}}
        self.socket.say(orjson.dumps(asked | begin))
        await self._until("live")

    async def _until(self, op: str) -> bytes:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waits[op] = answer
        either: list[asyncio.Future[Any]] = [answer, self.socket.lost]
        async with asyncio.timeout(ANSWER_SECONDS):
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ConnectionResetError(f"the socket was closed before {op}: {self._farewell}")
        return answer.result()

    def _receive(self, text: bytes) -> None:
        if text.startswith(b'{"op":"events"'):
            self._hear(text)
            return
        said = orjson.loads(text)
        if said["op"] == "ping":
            self.socket.say(orjson.dumps({"op": "pong", "t": said["t"]}))
        elif said["op"] == "goodbye":
            self._farewell = said["reason"]
        elif said["op"] == "snapshot":
            self.cursor = said["cursor"]
        elif said["op"] == "error":
            raise LoadError(f"a frame was refused: {said['problem']}")
        elif (waiting := self._waits.pop(said["op"], None)) is not None:
            waiting.set_result(text)
        else:
            self._hear(text)


def _upgrade(path: str, subprotocol: str | None) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: Upgrade"]
    lines += ["Upgrade: websocket", "Sec-WebSocket-Version: 13"]
    # The key is the example of RFC 6455: the answer to it is not looked at.
    lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    lines += [f"Sec-WebSocket-Protocol: {subprotocol}"] if subprotocol else []
    return "\r\n".join([*lines, "", ""]).encode()
