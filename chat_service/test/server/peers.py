"""What tests open sockets with: frames made by hand, as no library would send them."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator

from chat_service.test.server.apps import PATIENCE
from chat_service.test.server.clients import Client

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIELDS = (
    b"host: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """A frame of a client, whose mask changes nothing."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    if len(payload) < 126:
        head = struct.pack("!BB", first, 0x80 | len(payload))
    elif len(payload) < 65_536:
        head = struct.pack("!BBH", first, 0x80 | 126, len(payload))
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, len(payload))
    return head + bytes(4) + payload


class Peer(Client):
    """The client's end of a socket."""

    head = b""
    """The answer to the upgrade."""

    async def upgrade(self, path: str, fields: bytes = b"") -> int:
        """Ask for a socket; returns the status."""
        await self.send(b"GET /%s HTTP/1.1\r\n%s%s\r\n" % (path.encode(), FIELDS, fields))
        async with asyncio.timeout(PATIENCE):
            self.head = await self.reader.readuntil(b"\r\n\r\n")
        return int(self.head.split()[1])

    async def receive(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload; raises when there is none."""
        async with asyncio.timeout(PATIENCE):
            first, length = await self.reader.readexactly(2)
            if length == 126:
                (length,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 0x0F, await self.reader.readexactly(length)

    async def code(self) -> int:
        """The code the other side closes with, whatever it sends before."""
        opcode, payload = await self.receive()
        while opcode != CLOSE:
            opcode, payload = await self.receive()
        return int.from_bytes(payload[:2])

    async def ended(self) -> None:
        """Wait for the end of the connection."""
        await self.rest()

    async def send_until_held(self, data: bytes, limit: int) -> int:
        """Send `data` again and again until nothing is taken for a while; returns the bytes."""
        self.writer.transport.set_write_buffer_limits(high=0)
        sent = 0
        while sent < limit:
            self.writer.write(data)
            try:
                await asyncio.wait_for(self.writer.drain(), 1.0)
            except (TimeoutError, ConnectionError):
                break
            sent += len(data)
        return sent


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Peer]:
    """A connection that asked for nothing yet."""
    peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield peer
    finally:
        peer.writer.transport.abort()


@contextlib.asynccontextmanager
async def opened(port: int, path: str, fields: bytes = b"") -> AsyncIterator[Peer]:
    """An open socket."""
    async with connected(port) as peer:
        assert await peer.upgrade(path, fields) == 101
        yield peer
