"""Readers that follow a session and read no more: by hand, with next to no room on the way to them."""

import asyncio
import ctypes
import json
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import uvicorn

from chat_service.test.builders import Person
from chat_service.test.realtime.talkers import Address
from chat_service.test.realtime.tuned import Tuned
from chat_service.test.server.apps import port_of, serving
from chat_service.test.server.peers import TEXT, Peer, frame

ROOM = 4_096
SUBPROTOCOL = b"sec-websocket-protocol: chat.v1\r\n"


@dataclass
class Hardened:
    """A service behind the server it is served by, whose sockets hold little of what is not read."""

    server: uvicorn.Server
    address: Address

    @property
    def sockets(self) -> int:
        """How many connections there are."""
        return len(self.server.server_state.connections)


@asynccontextmanager
async def hardened(place: Tuned) -> AsyncIterator[Hardened]:
    """Serve that service a second time, as `serve` does."""
    async with serving(place.service) as server:
        listening = server.servers[0].sockets[0]
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
        yield Hardened(server, Address(f"127.0.0.1:{port_of(server)}"))


async def say(peer: Peer, **said: object) -> None:
    """Send a frame of the protocol."""
    await peer.send(frame(TEXT, json.dumps(said).encode()))


async def until(peer: Peer, op: str) -> None:
    """Read up to a frame of the protocol."""
    while json.loads((await peer.receive())[1])["op"] != op:
        pass


async def stall(port: int, person: Person, session_id: str) -> Peer:
    """One reader, who follows and reads no more."""
    end = socket.socket()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
    end.setblocking(False)
    await asyncio.get_running_loop().sock_connect(end, ("127.0.0.1", port))
    peer = Peer(*await asyncio.open_connection(sock=end, limit=ROOM))
    assert await peer.upgrade("v1/realtime", SUBPROTOCOL) == 101
    await say(peer, op="hello", token=person.token)
    await until(peer, "welcome")
    await say(peer, op="subscribe", id=1, stream=f"session:{session_id}")
    await until(peer, "live")
    return peer


@asynccontextmanager
async def stalled(
    place: Hardened, person: Person, session_id: str, *, count: int
) -> AsyncIterator[Sequence[Peer]]:
    """So many of them."""
    async with AsyncExitStack() as stack:
        peers = []
        for _ in range(count):
            peers.append(await stall(port_of(place.server), person, session_id))
            stack.callback(peers[-1].writer.transport.abort)
        yield peers


class Heap(ctypes.Structure):
    """What `mallinfo2` of the GNU C library tells of the heap, in bytes or numbers."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


def memory() -> int:
    """Bytes that this process has on its heap, but for small objects.

    What the system says of it counts what was given back to the heap and is taken again: after a
    test that took much another one may take as much unseen.
    """
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = Heap
    heap = mallinfo2()
    return int(heap.uordblks + heap.hblkhd)
