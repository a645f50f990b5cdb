"""What tests talk to: a raw connection, and a process that serves."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn

from chat_service.test.server.apps import MODULE, PATIENCE, port_of

NO_WAIT: dict[str, Any] = {"balancer_seconds": 0.0}


class Client:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send, or notice that the other side does not want any more of it."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        """The next answer: its status and body."""
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            return int(head.split()[1]), await self.reader.readexactly(int(length))

    async def rest(self) -> bytes:
        """All that still comes before the connection ends, be it by a reset."""
        received = b""
        async with asyncio.timeout(PATIENCE):
            with contextlib.suppress(ConnectionError):
                while data := await self.reader.read(65_536):
                    received += data
        return received


@contextlib.asynccontextmanager
async def connected(server: uvicorn.Server) -> AsyncIterator[Client]:
    """A raw connection to a server of `serving`."""
    client = Client(*await asyncio.open_connection("127.0.0.1", port_of(server)))
    try:
        yield client
    finally:
        client.writer.close()


class Service:
    """A process that was started to serve, and a plain client for it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.port = 0
        self.stderr = b""

    async def started(self) -> None:
        """Wait for the line that tells the URL."""
        async with asyncio.timeout(PATIENCE):
            line = await self._stdout.readline()
        self.port = int(line.decode().rpartition(":")[2])

    async def get(self, path: str, head: str = "connection: close\r\n") -> tuple[int, str]:
        """Status and text of an answer; raises ConnectionError when nobody accepts."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(f"GET /{path} HTTP/1.1\r\nhost: x\r\n{head}\r\n".encode())
            async with asyncio.timeout(PATIENCE):
                headers, _, text = (await reader.read()).decode().partition("\r\n\r\n")
        finally:
            writer.close()
        if not headers:
            raise ConnectionResetError("no answer")
        assert "server:" not in headers
        return int(headers.split()[1]), text

    async def ended(self) -> int:
        """Wait for the end of the process; returns its exit code."""
        async with asyncio.timeout(PATIENCE):
            _, self.stderr = await self.process.communicate()
            return await self.process.wait()

    async def begin(self, path: str = "slow") -> asyncio.Task[tuple[int, str]]:
        """Send a request that takes its time; returns when it is being handled."""
        task = asyncio.create_task(self.get(path))
        assert await self.line() == "slow begun"
        return task

    async def line(self) -> str:
        """The next line of standard output."""
        async with asyncio.timeout(PATIENCE):
            return (await self._stdout.readline()).decode().strip()

    async def complains(self, of: str) -> None:
        """Wait for a line of standard error with these words."""
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            while of.encode() not in await self.process.stderr.readline():
                pass

    async def unready(self) -> None:
        """Wait until the drain is visible from outside."""
        async with asyncio.timeout(PATIENCE):
            while await self.get("ready") != (503, "draining"):
                await asyncio.sleep(0.01)

    async def pids(self, count: int) -> set[int]:
        """The ids of the children, as soon as `count` different ones have answered."""
        found: set[int] = set()
        async with asyncio.timeout(PATIENCE):
            while len(found) < count:
                asked = [self.get("pid") for _ in range(8)]
                found |= {int(text) for _, text in await asyncio.gather(*asked)}
                await asyncio.sleep(0.02)
        return found

    @property
    def _stdout(self) -> asyncio.StreamReader:
        assert self.process.stdout is not None
        return self.process.stdout


@contextlib.asynccontextmanager
async def launched(
    name: str, environment: dict[str, str] | None = None, **settings: Any
) -> AsyncIterator[Service]:
    """Start `apps NAME` on a free port; whatever a test leaves is killed."""
    arguments = [name, json.dumps({"port": 0, **settings})]
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-W", "error", "-m", MODULE, *arguments],
        env=os.environ | (environment or {}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    service = Service(process)
    try:
        yield service
    finally:
        if process.returncode is None:
            process.kill()
            await service.ended()


@contextlib.asynccontextmanager
async def running(name: str = "app", **settings: Any) -> AsyncIterator[Service]:
    """A service that serves."""
    async with launched(name, **settings) as service:
        await service.started()
        yield service


def gone(pids: set[int]) -> bool:
    """Whether none of these processes is left."""
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)
