"""Clients that leave at some point of a write, over real connections."""

import asyncio
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from chat_service.app import Service
from chat_service.test.builders import Json, Person, Workspace, message, unique
from chat_service.test.server.apps import until

STEP: Final = 29
"""Bytes between two points at which a client leaves; near the end of head and body it is one."""
RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER that makes a closed connection end with RST, not with FIN."""
AT_ONCE: Final = 8
DELAYS: Final = [0.002 * at for at in range(40)]
"""Seconds a client waits after its whole request: it leaves in the lane, in the commit, after it."""


@dataclass(frozen=True)
class Write:
    """A change that may be repeated."""

    who: Person
    path: str
    body: Json

    @property
    def request(self) -> bytes:
        """The request as a client puts it on the wire."""
        content = json.dumps(self.body).encode()
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {self.who.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content

    async def was_done(self) -> bool:
        """Send it once more; whether it had been done before."""
        answer = await self.who.post(self.path, self.body)
        assert answer.status_code in (200, 201), answer.text
        return answer.status_code == 200 or "Idempotent-Replayed" in answer.headers


Make = Callable[[Workspace, int], Awaitable[list[Write]]]


async def messages(workspace: Workspace, count: int) -> list[Write]:
    """Messages to one chat, which go through the lane."""
    customer = await workspace.customer()
    path = f"/v1/sessions/{(await customer.start(text=None))['session']['id']}/messages"
    return [Write(customer, path, message()) for _ in range(count)]


async def starts(workspace: Workspace, count: int) -> list[Write]:
    """Sessions of as many customers, each written by its own request."""
    return [
        Write(
            await workspace.customer(),
            "/v1/sessions",
            {"client_session_id": unique(), "initial_message": message()},
        )
        for _ in range(count)
    ]


async def were_done(writes: list[Write]) -> list[bool]:
    """Send each once more; which had been done before."""
    return [await write.was_done() for write in writes]


def cuts(request: bytes) -> list[int]:
    """After how many bytes clients leave, the whole request excluded."""
    size, head = len(request), request.index(b"\r\n\r\n") + 4
    near = {*range(head - 5, head + 3), *range(size - 3, size)}
    return sorted({*range(0, size, STEP)} | near)


async def leave(port: int, data: bytes, *, reset: bool = False, after: float = 0.0) -> None:
    """Send a part of a request, wait, and leave without having read anything."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    if reset:
        peer: socket.socket = writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.write(data)
    await writer.drain()
    await asyncio.sleep(after)
    writer.close()


async def all_leave(
    service: Service, port: int, leavings: list[dict[str, Any]], *, spare: int = 0
) -> None:
    """Let clients leave, a few at once, and wait until nothing is left of them.

    Raises TimeoutError where connections in use, tasks or descriptors are more than before; of the
    last there may be `spare` more.
    """
    few = asyncio.Semaphore(AT_ONCE)

    async def one(leaving: dict[str, Any]) -> None:
        async with few:
            await leave(port, **leaving)

    pool: Any = service.database.engine.pool
    tasks, files = len(asyncio.all_tasks()), open_files()
    await asyncio.gather(*(one(leaving) for leaving in leavings))
    await until(lambda: pool.checkedout() == 0)
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
    await until(lambda: open_files() <= files + spare)


def open_files() -> int:
    """How many file descriptors this process has, which is the service's."""
    return len(os.listdir("/dev/fd"))
