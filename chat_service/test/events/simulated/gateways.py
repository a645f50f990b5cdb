"""A process of the service, as far as live delivery goes."""

import asyncio
from collections.abc import Sequence
from random import Random

from chat_service.events.feed import Feeds, Row
from chat_service.events.source import Growth
from chat_service.schema import WorkspaceId
from chat_service.test.events.simulated.clients import Client
from chat_service.test.events.simulated.sources import UnsteadySource
from chat_service.test.events.simulated.world import WORKSPACE, World


class Watch:
    """An observer of all rows, which must come one by one until a rewind is told."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._broken: list[str] = []

    def __call__(self, workspace_id: WorkspaceId, rows: Sequence[Row], /) -> None:
        for row in rows:
            if self._last is not None and row.pos != self._last + 1:
                self._broken.append(f"was shown {row.pos} after {self._last}")
            self._last = row.pos

    def rewound(self, workspace_id: WorkspaceId, /) -> None:
        """Begin anew."""
        self._last = None

    def faults(self, head: int) -> list[str]:
        """What is wrong at the end."""
        missed = self._last is not None and self._last != head
        return self._broken + ([f"was shown {self._last} of {head}"] if missed else [])


class Gateway:
    """A process with its feeds and its connections. It can crash, and begins anew with nothing.

    One that is `watched` keeps its feed, for an observer; the feed of another comes and goes.
    """

    def __init__(self, world: World, random: Random, feeds: type[Feeds], *, watched: bool) -> None:
        self.source = UnsteadySource(world, random)
        self.connections: list[asyncio.Task[None]] = []
        self._random = random
        self._feeds = feeds
        self._watched = watched
        self.start()

    def start(self) -> None:
        """Begin with nothing."""
        self.feeds = self._feeds(self.source, random=self._random)
        self.watch = Watch()
        self.feeds.observe(self.watch)
        if self._watched:
            self.feeds.hold(WORKSPACE)
        self._running = asyncio.create_task(self.feeds.run())
        self.alive = True

    def faults(self, world: World) -> list[str]:
        """What is wrong at the end: with what was observed, and with the process itself."""
        stopped = ["no longer checks heads"] if self._running.done() else []
        return [*stopped, *(self.watch.faults(len(world.log)) if self._watched else [])]

    def crash(self) -> None:
        """End at once, with all connections."""
        self.alive = False
        for task in (self._running, *self.connections):
            task.cancel()

    def hear(self, pos: int) -> None:
        """A hint came in."""
        if self.alive:
            self.feeds.hint(WORKSPACE, pos)

    def offer(self, growth: Growth) -> None:
        """A commit of this process is done."""
        if self.alive:
            self.feeds.offer(growth)

    async def serve(self, client: Client, seconds: float | None) -> None:
        """Keep a client connected, for so long or while the process lives."""
        task = asyncio.create_task(client.follow(self.feeds, self.source))
        self.connections.append(task)
        await asyncio.wait({task}, timeout=seconds)
        self.connections.remove(task)
        task.cancel()
        (fault,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(fault, Exception):
            client.broken.append(f"was cut off by {fault!r}")
