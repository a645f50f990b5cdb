"""The roads a message may go: the service by socket or by POST, a bare NOTIFY, a broadcast in Quart.

Each opens its listeners, hands on what they hear, and gives a way to send; all of it ends with it.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]
import orjson

from bench.contenders import TEXT
from bench.load import LoadError
from bench.sockets import Hear, Talk, connect
from bench.talkers import Widget

AT_ONCE: Final = 20
"""So many connect at the same moment."""

Send = Callable[[str], None]
"""Sends a message of that id and does not wait."""
Road = Callable[[Hear], AbstractAsyncContextManager[Send]]


def by_socket(to_port: int, from_port: int, widget: Widget, staff: str) -> Road:
    """A customer's socket sends at one process, a socket of the staff listens at another or it."""

    @asynccontextmanager
    async def road(hear: Hear) -> AsyncIterator[Send]:
        reader, writer = Talk(from_port, staff, hear), Talk(to_port, widget.token)
        await reader.begin(widget.session_id)
        await writer.open()
        numbers = itertools.count(1)

        def send(name: str) -> None:
            sent = {"op": "send", "id": next(numbers), "session_id": widget.session_id}
            writer.socket.say(orjson.dumps(sent | message(name)))

        yield send
        for talk in (reader, writer):
            talk.socket.transport.abort()

    return road


def by_post(port: int, widget: Widget, staff: str, listeners: int) -> Road:
    """A customer POSTs, and so many sockets of the staff listen."""

    @asynccontextmanager
    async def road(hear: Hear) -> AsyncIterator[Send]:
        talks = [Talk(port, staff, hear) for _ in range(listeners)]
        for some in range(0, listeners, AT_ONCE):
            await asyncio.gather(
                *(talk.begin(widget.session_id) for talk in talks[some : some + AT_ONCE])
            )
        poster = Poster(port, f"/v1/sessions/{widget.session_id}/messages", widget.token)
        yield lambda name: poster.start(message(name))
        for talk in talks:
            talk.socket.transport.abort()
        await poster.end()

    return road


def by_broadcast(port: int, listeners: int) -> Road:
    """The same at a peer that knows neither persons nor sessions."""

    @asynccontextmanager
    async def road(hear: Hear) -> AsyncIterator[Send]:
        sockets = [await connect(port, "/ws", hear) for _ in range(listeners)]
        poster = Poster(port, "/messages")
        yield lambda name: poster.start({"text": name})
        for socket in sockets:
            socket.transport.abort()
        await poster.end()

    return road


def by_notify(url: str) -> Road:
    """No service: a connection inserts, notifies and commits, another one listens."""

    @asynccontextmanager
    async def road(hear: Hear) -> AsyncIterator[Send]:
        writer, reader = await asyncpg.connect(url), await asyncpg.connect(url)
        await writer.execute(
            "CREATE TABLE IF NOT EXISTS bare (id bigserial PRIMARY KEY, text text)"
        )
        await reader.add_listener("bare", lambda *heard: hear(heard[-1].encode()))
        names: asyncio.Queue[str] = asyncio.Queue()

        async def write() -> None:
            while name := await names.get():
                async with writer.transaction():
                    await writer.execute("INSERT INTO bare (text) VALUES ($1)", name)
                    await writer.execute("SELECT pg_notify('bare', $1)", name)

        writing = asyncio.create_task(write())
        yield names.put_nowait
        names.put_nowait("")
        await writing
        await writer.close()
        await reader.close()

    return road


class Poster:
    """POSTs, one at a time on each of its connections; opens another where all are busy."""

    def __init__(self, port: int, path: str, token: str | None = None) -> None:
        lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
        lines += [f"Authorization: Bearer {token}"] if token else []
        self._head = "\r\n".join(lines)
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def post(self, body: Any) -> None:
        """Send and wait for the answer; raises LoadError where it is no 201."""
        data = orjson.dumps(body)
        if not self._idle:
            self._idle.append(await asyncio.open_connection("127.0.0.1", self._port))
        reader, writer = self._idle.pop()
        writer.write(f"{self._head}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        head = await reader.readuntil(b"\r\n\r\n")
        _, _, length = head.lower().partition(b"\r\ncontent-length:")
        answer = await reader.readexactly(int(length.partition(b"\r\n")[0]))
        if not head.startswith(b"HTTP/1.1 201"):
            raise LoadError(f"refused: {answer!r}")
        self._idle.append((reader, writer))

    def start(self, body: Any) -> None:
        """Send, and look at the answer at the end."""
        self._tasks.append(asyncio.create_task(self.post(body)))

    async def end(self) -> None:
        """Close all connections; raises LoadError where a POST was refused."""
        await asyncio.gather(*self._tasks)
        for _, writer in self._idle:
            writer.close()


def message(client_message_id: str, text: str = TEXT) -> dict[str, Any]:
    """The body of a new message."""
    return {"client_message_id": client_message_id, "content": {"type": "text", "text": text}}
