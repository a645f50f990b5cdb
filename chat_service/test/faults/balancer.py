"""A balancer for several nodes: it asks each whether it is ready, and knows nothing of HTTP else."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final, Protocol

import httpx2

ASKED_EACH: Final = 0.1
"""Seconds between two questions to a node."""
CHUNK: Final = 65_536
PATIENCE: Final = 60


class Balancing(Protocol):
    """What stands before the nodes."""

    @property
    def address(self) -> str: ...

    def open(self) -> AbstractAsyncContextManager[object]: ...

    async def has_all(self) -> None: ...


class Balancer:
    """Sends each new connection to the next node that is ready; `address` is where it listens."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self.port = 0
        self.ready: list[str] = []
        self._nodes = nodes
        self._carried: dict[StreamWriter, asyncio.Task[None]] = {}

    @property
    def address(self) -> str:
        """Where it listens, as the beginning of a URL."""
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Balance until the end of the block, then cut all connections."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        asking = [asyncio.create_task(self._ask(node)) for node in self._nodes]
        try:
            yield
        finally:
            server.close()
            tasks = [*asking, *self._carried.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.wait_closed()

    async def has_all(self) -> None:
        """Wait until every node is ready."""
        async with asyncio.timeout(PATIENCE):
            while len(self.ready) < len(self._nodes):
                await asyncio.sleep(0.01)

    def cut(self, place: int) -> None:
        """End the connection at that place, if there is one, without a word to either side."""
        for writer in list(self._carried)[place : place + 1]:
            writer.transport.abort()

    async def _ask(self, node: str) -> None:
        async with httpx2.AsyncClient(base_url=node, timeout=5.0) as client:
            while True:
                self._note(node, ready=await _is_ready(client))
                await asyncio.sleep(ASKED_EACH)

    def _note(self, node: str, *, ready: bool) -> None:
        if ready and node not in self.ready:
            self.ready.append(node)
        elif not ready and node in self.ready:
            self.ready.remove(node)

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = self._carried[writer] = asyncio.create_task(self._carry(reader, writer))
        task.add_done_callback(lambda _: self._carried.pop(writer))

    async def _carry(self, reader: StreamReader, writer: StreamWriter) -> None:
        writers = [writer]
        try:
            if (far := await self._reach()) is not None:
                writers.append(far[1])
                async with asyncio.TaskGroup() as both:
                    both.create_task(_pass_on(reader, far[1]))
                    both.create_task(_pass_on(far[0], writer))
        except* OSError:
            pass
        finally:
            for each in writers:
                each.transport.abort()

    async def _reach(self) -> tuple[StreamReader, StreamWriter] | None:
        """A connection to the node whose turn it is, else to another; None if none takes it."""
        nodes = list(self.ready)
        self.ready[:] = nodes[1:] + nodes[:1]
        for node in nodes:
            with suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", int(node.rpartition(":")[2]))
            self._note(node, ready=False)
        return None


async def _is_ready(client: httpx2.AsyncClient) -> bool:
    with suppress(httpx2.TransportError):
        return (await client.get("/health/ready")).status_code == 200
    return False


async def _pass_on(reader: StreamReader, writer: StreamWriter) -> None:
    """Carry one direction to its end, and tell the other side that it has ended."""
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
