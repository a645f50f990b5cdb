"""The live readers of this process: one feed for each workspace that somebody here listens to.

Owns which feeds there are and the head check (F4 of the delivery algorithm), by which a lost hint
and a rewound log are found. Reads through the source handed in, and has no clock of its own.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ClassVar, Final, Protocol
from uuid import UUID

import structlog

from chat_service import metrics
from chat_service.events.persist import persist
from chat_service.events.pump import Feed, Observer, Outside
from chat_service.events.source import Growth, Head, Item, Row, Side, Source
from chat_service.events.subscription import Reset, Subscription
from chat_service.schema import SessionId, WorkspaceId

__all__ = [
    "Feeds",
    "Head",
    "Hold",
    "Item",
    "Observer",
    "Reset",
    "Row",
    "Side",
    "Source",
    "Subscription",
]

HEAD_SECONDS: Final = 5.0
OUTAGE_SECONDS: Final = 1.0
JITTER: Final = 0.2
SPACING_SECONDS: Final = 0.1
"""Between two head checks, however many are in a hurry."""

log = structlog.get_logger(__name__)


class Random(Protocol):
    """Where the jitter comes from."""

    def uniform(self, a: float, b: float, /) -> float: ...


class Hold:
    """Keeps the feed of a workspace going for one who only observes it."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        feed.hold(self)

    async def open(self) -> int:
        """Wait until the feed has its position, and tell it; what is read after that has no gap."""
        return await persist(self._feed.open, self._feed.outside.sleep)

    def end(self) -> tuple[int, UUID | None]:
        """The row the feed has come to: its `pos` and its id, 0 and None where there is none."""
        return self._feed.pos or 0, self._feed.id

    def close(self) -> None:
        """Need the feed no more."""
        self._feed.release(self)


class Feeds:
    """All live feeds of this process. While `outage` is set, heads are checked each second."""

    feed_type: ClassVar[type[Feed]] = Feed
    subscription_type: ClassVar[type[Subscription]] = Subscription

    def __init__(
        self,
        source: Source,
        *,
        random: Random,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
        head_seconds: float = HEAD_SECONDS,
    ) -> None:
        self.outage = False
        self._source = source
        self._random = random
        self._sleep = sleep
        self._head_seconds = head_seconds
        self._feeds: dict[WorkspaceId, Feed] = {}
        self._observers: list[Observer] = []
        self._hurried = asyncio.Event()
        self._failed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._outside = Outside(source, sleep, self._spawn, self._observers, self.hurry, self._drop)

    def __len__(self) -> int:
        return len(self._feeds)

    @property
    def lag(self) -> int:
        """How many rows were heard of and are not read yet, where there are most."""
        return max((feed.lag for feed in self._feeds.values()), default=0)

    def hint(self, workspace_id: WorkspaceId, pos: int) -> None:
        """A log may reach that far. Late, doubled, lost, reordered: harmless."""
        feed = self._feeds.get(workspace_id)
        if feed is not None:
            feed.hint(pos)

    def offer(self, growth: Growth) -> None:
        """A log has grown by a commit of this process; told as late as it may be, it is harmless."""
        feed = self._feeds.get(growth.workspace_id)
        if feed is not None:
            feed.offer(growth)

    def hurry(self) -> None:
        """Check the heads at once, as after a lost connection to the database or the broker."""
        self._hurried.set()

    def observe(self, observer: Observer) -> None:
        """Tell of each row that a feed here comes to, in order, and of each rewind."""
        self._observers.append(observer)

    def hold(self, workspace_id: WorkspaceId) -> Hold:
        """Keep the feed of a workspace for its observers, with or without a subscription."""
        return Hold(self._feed(workspace_id))

    def subscribe(
        self,
        workspace_id: WorkspaceId,
        session_id: SessionId,
        side: Side,
        *,
        wake: Callable[[], None],
    ) -> Subscription:
        """A place in a session for one connection, to be attached and at last closed.

        `wake` is called at once, from wherever it happens, whenever a pull may give something.
        """
        feed = self._feed(workspace_id)
        return self.subscription_type(feed, session_id, side, wake=wake)

    async def run(self) -> None:
        """F4: check the heads from time to time, until cancelled; that ends all feeds."""
        try:
            while True:
                await self._pause()
                self._hurried.clear()
                await self._try_check()
                await self._sleep(SPACING_SECONDS)
        finally:
            await self._end()

    async def check(self) -> None:
        """Compare every feed here with the head of its log. Raises what the source raises."""
        noted = {workspace_id: (feed, feed.mark()) for workspace_id, feed in self._feeds.items()}
        if not noted:
            return
        heads = await self._source.heads(tuple(noted))
        for workspace_id, (feed, mark) in noted.items():
            feed.compare(mark, *heads.get(workspace_id, (0, None)))

    async def _try_check(self) -> None:
        try:
            await self.check()
            metrics.HEAD_CHECKS_DONE.inc()
            self._failed = False
        except Exception as error:
            log.warning("head_check_failed", exc_info=error)
            metrics.HEAD_CHECKS_FAILED.inc()
            self._failed = True

    async def _pause(self) -> None:
        """Wait for the next check, or until somebody is in a hurry."""
        seconds = OUTAGE_SECONDS if self.outage or self._failed else self._head_seconds
        jitter = self._random.uniform(1 - JITTER, 1 + JITTER)
        alarm = self._spawn(self._ring(seconds * jitter), contextvars.copy_context())
        try:
            await self._hurried.wait()
        finally:
            alarm.cancel()

    async def _ring(self, seconds: float) -> None:
        await self._sleep(seconds)
        self._hurried.set()

    def _feed(self, workspace_id: WorkspaceId) -> Feed:
        feed = self._feeds.get(workspace_id)
        if feed is None:
            feed = self._feeds[workspace_id] = self.feed_type(workspace_id, self._outside)
        return feed

    def _drop(self, workspace_id: WorkspaceId) -> None:
        self._feeds.pop(workspace_id, None)

    def _spawn(
        self, work: Coroutine[Any, Any, None], context: contextvars.Context
    ) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _end(self) -> None:
        self._feeds.clear()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
