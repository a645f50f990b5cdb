"""A road to a server that a test may make impassable without either end being told."""

import asyncio
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from sqlalchemy.engine import make_url

Reach = Callable[[], Awaitable[tuple[StreamReader, StreamWriter]]]
"""Opens a connection to the server."""


class Proxy:
    """Carries connections to a server; `port` of 127.0.0.1 is this end of the road.

    While it `is_blocked`, it ends each new connection at once. With `cut_after` it carries that
    many bytes of the server's on each new connection, and then ends it.
    """

    def __init__(self, reach: Reach) -> None:
        self.port = 0
        self.is_blocked = False
        self.cut_after: int | None = None
        self._reach = reach
        self._passable = _set_event()
        self._carrying: set[asyncio.Task[None]] = set()

    def silence(self) -> None:
        """Let nothing pass any more on the connections there are; new ones work."""
        self._passable.clear()
        self._passable = _set_event()

    def hold(self) -> None:
        """Let nothing pass any more, on new connections neither."""
        self._passable.clear()

    def let_go(self) -> None:
        """Let pass what was held, and all that comes."""
        self._passable.set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Carry until the end of the block, then cut all connections."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for task in self._carrying:
                task.cancel()
            await asyncio.gather(*self._carrying, return_exceptions=True)
            await server.wait_closed()

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        if self.is_blocked:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._carry(reader, writer))
        self._carrying.add(task)

    async def _carry(self, reader: StreamReader, writer: StreamWriter) -> None:
        passable = self._passable
        writers = [writer]
        try:
            far_reader, far_writer = await self._reach()
            writers.append(far_writer)
            there = asyncio.create_task(_pass_on(reader, far_writer, passable))
            limit = self.cut_after
            back = asyncio.create_task(_pass_on(far_reader, writer, passable, limit=limit))
            try:
                await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
            finally:
                there.cancel()
                back.cancel()
        except OSError:
            pass
        finally:
            for each in writers:
                each.transport.abort()


@asynccontextmanager
async def proxied(reach: Reach) -> AsyncIterator[Proxy]:
    """An open proxy."""
    proxy = Proxy(reach)
    async with proxy.open():
        yield proxy


def reaching(host: str, port: int) -> Reach:
    """Reaches a server by TCP."""
    return lambda: asyncio.open_connection(host, port)


def reaching_postgres(url: str) -> Reach:
    """Reaches the server of a database, on its socket or its port."""
    address = make_url(url)
    host = str(address.query.get("host") or address.host)
    port = address.port or 5432
    if host.startswith("/"):
        return lambda: asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
    return reaching(host, port)


async def reaching_nothing() -> tuple[StreamReader, StreamWriter]:
    """A server that takes connections and never says anything."""
    await asyncio.Event().wait()
    raise AssertionError


async def _pass_on(
    reader: StreamReader,
    writer: StreamWriter,
    passable: asyncio.Event,
    *,
    limit: int | None = None,
) -> None:
    left = sys.maxsize if limit is None else limit
    with suppress(ConnectionError, EOFError):
        while left and (data := await reader.read(min(left, 65_536))):
            await passable.wait()
            writer.write(data)
            await writer.drain()
            left -= len(data)
        # What was carried arrives before the end does.
        writer.close()
        await writer.wait_closed()


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event
