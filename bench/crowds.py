"""Many sockets at one process that do nothing, or do not even read: what they weigh."""

import asyncio
import os
import resource
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop

from bench.limits import Readings
from bench.load import LoadError
from bench.machine import cpu_seconds
from bench.roads import Poster, message
from bench.sockets import Socket, Talk, connect
from bench.talkers import Widget

AT_ONCE: Final = 50
"""So many connect at the same moment."""
WARM: Final = 200
"""So many come and go before the process is weighed: what the first ones cost is not theirs."""
SETTLE_SECONDS: Final = 2.0
LONG_TEXT: Final = "x" * 16_000
LONG_TEXTS: Final = 64
"""A stalled reader's share of them is more than any buffer on the way takes."""
NARROW_BYTES: Final = 4_096
"""What the system may hold for a stalled reader on its own side."""
EVICTED_SECONDS: Final = 60.0
OTHER_FILES: Final = 20
"""What a service may open meanwhile: the sender's connections, its own to the database."""

Open = Callable[[], Awaitable[Socket]]
Started = Callable[[], AbstractContextManager[int]]
"""Starts a server anew, gives its process id, and ends it."""


@dataclass
class Idle:
    """A process that has a socket of each opener, and nothing else to do."""

    start: Started
    openers: Sequence[Open]

    def turn(self, seconds: int) -> Readings:
        """Open all, and look how much larger the process is."""
        allow_files()
        with self.start() as pid, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(self._weigh(pid))

    async def _weigh(self, pid: int) -> Readings:
        close_all(await open_all(self.openers[:WARM]))
        await asyncio.sleep(SETTLE_SECONDS)
        before, used, began = resident(pid), cpu_seconds(pid), time.perf_counter()
        opened = await open_all(self.openers)
        took, cost = time.perf_counter() - began, cpu_seconds(pid) - used
        await asyncio.sleep(SETTLE_SECONDS)
        grown, count = resident(pid) - before, len(opened)
        close_all(opened)
        return {
            "sockets": count,
            "KiB a socket": grown / 1024 / count,
            "opened/s": count / took,
            "CPU µs to open": cost / count * 1e6,
        }


@dataclass
class Stalled:
    """`count` readers of one session who read no more, while somebody goes on sending."""

    start: Started
    port: int
    widget: Widget
    staff: str
    count: int

    def turn(self, seconds: int) -> Readings:
        """How much larger than with idle readers the process gets, and is when all are cut off."""
        with self.start() as pid, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(self._stall(pid))

    async def _stall(self, pid: int) -> Readings:
        files = open_files(pid)
        readers = await open_all([self._open] * self.count)
        idle, most = resident(pid), 0
        for reader in readers:
            reader.transport.pause_reading()
        poster = Poster(
            self.port, f"/v1/sessions/{self.widget.session_id}/messages", self.widget.token
        )
        began = time.perf_counter()
        for _ in range(LONG_TEXTS):
            await poster.post(message(secrets.token_hex(12), LONG_TEXT))
            most = max(most, resident(pid))
        while open_files(pid) > files + OTHER_FILES:
            if time.perf_counter() - began > EVICTED_SECONDS:
                raise LoadError(f"{open_files(pid) - files} stalled readers are still there")
            most = max(most, resident(pid))
            await asyncio.sleep(0.1)
        took = time.perf_counter() - began
        await asyncio.sleep(SETTLE_SECONDS)
        after = resident(pid)
        await poster.end()
        close_all(readers)
        return {
            "sockets": self.count,
            "MiB more at most": (most - idle) / 2**20,
            "MiB more when cut": (after - idle) / 2**20,
            "all cut after s": took,
        }

    async def _open(self) -> Socket:
        talk = Talk(self.port, self.staff)
        await talk.begin(self.widget.session_id, receive_bytes=NARROW_BYTES)
        return talk.socket


def widget_opener(port: int, widget: Widget) -> Open:
    """Opens a socket that follows its session."""

    async def open_it() -> Socket:
        talk = Talk(port, widget.token)
        await talk.begin(widget.session_id)
        return talk.socket

    return open_it


def bare_opener(port: int) -> Open:
    """Opens a socket that says nothing."""

    async def open_it() -> Socket:
        return await connect(port, "/", lambda _: None)

    return open_it


async def open_all(openers: Sequence[Open]) -> list[Socket]:
    """Some at a time, so that none waits too long."""
    places = asyncio.Semaphore(AT_ONCE)

    async def open_one(opener: Open) -> Socket:
        async with places:
            return await opener()

    return await asyncio.gather(*(open_one(opener) for opener in openers))


def close_all(sockets: Sequence[Socket]) -> None:
    """Leave without a word."""
    for socket in sockets:
        socket.transport.abort()


def allow_files() -> None:
    """Let this process, and those it starts, have as many sockets as the system grants."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    pages = (Path("/proc") / str(pid) / "statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def open_files(pid: int) -> int:
    """How many files and sockets a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))
