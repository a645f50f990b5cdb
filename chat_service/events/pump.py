"""One workspace's feed: its position, and the one task that reads on from there.

Owns F1 and F2 of the delivery algorithm and how a rewound log is seen. Leaves what is done with
the rows to `events.live`, where a connection stands to `events.subscription`, and the head check
to `events.feed`.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

import structlog

from chat_service.events.live import Live, Rendered
from chat_service.events.ring import Listener
from chat_service.events.source import Growth, Row, Source, moment
from chat_service.schema import WorkspaceId, fence

READ_ROWS: Final = 500
PAUSES: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)
"""Seconds after the first failed try, the second, and so on."""
OFFERS: Final = 16
"""So many commits of this process may wait for their turn; later ones are read."""
RENDER_TRIES: Final = 3
"""After so many, events go out unrendered: one that cannot be rendered must not stop the others."""

log = structlog.get_logger(__name__)


class Observer(Protocol):
    """A reader of a whole workspace: the agents' list, the end of access."""

    def __call__(self, workspace_id: WorkspaceId, rows: Sequence[Row], /) -> None:
        """Rows that the feed came to, in order."""

    def rewound(self, workspace_id: WorkspaceId, /) -> None:
        """What it saw may be gone. Whoever reads anew first waits for `Hold.open`."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What a feed is handed: the source, how to wait, to run a task, and whom it tells."""

    source: Source
    sleep: Callable[[float], Awaitable[Any]]
    spawn: Callable[[Coroutine[Any, Any, None], contextvars.Context], object]
    observers: Sequence[Observer]
    hurry: Callable[[], None]
    idle: Callable[[WorkspaceId], None]


@dataclass(frozen=True, slots=True)
class Mark:
    """The furthest row known here at some moment; `pos` is None where there is no position."""

    rewinds: int
    pos: int | None
    fence: str | None


class Feed:
    """The live reader of one workspace. Everything up to `pos` is dispatched; `id` is its row's."""

    def __init__(self, workspace_id: WorkspaceId, outside: Outside) -> None:
        self.workspace_id = workspace_id
        self.outside = outside
        self.pos: int | None = None
        self.id: UUID | None = None
        self.rewinds = 0
        self.live = Live()
        self._want = 0
        self._offers: dict[int, Growth] = {}
        """What was committed here and is not dispatched, by the `pos` in front of its rows."""
        self._begun_at = 0
        self._holders: set[object] = set()
        self._ahead: dict[Listener, None] = {}
        self._opening = asyncio.Lock()
        self._failures = 0
        self._pumping = False
        # The feed works for many: what is logged of it must not go by the id of one request.
        self._context = contextvars.copy_context()
        self._context.run(structlog.contextvars.clear_contextvars)

    @property
    def lag(self) -> int:
        """How many rows were heard of and are not read yet."""
        return max(0, self._want - self.pos) if self.pos is not None else 0

    def hold(self, holder: object) -> None:
        """Keep the feed going for somebody."""
        self._holders.add(holder)

    def release(self, holder: object) -> None:
        """Let go of the feed, once; it ends with its last holder."""
        if holder in self._holders:
            self._holders.remove(holder)
            if not self._holders:
                self.outside.idle(self.workspace_id)

    async def open(self) -> int:
        """F1: take a position, before any session is read. Raises what the source raises."""
        async with self._opening:
            while self.pos is None:
                rewinds = self.rewinds
                pos, last = await self.outside.source.head(self.workspace_id)
                if rewinds == self.rewinds:
                    self._begin(pos, last)
            return self.pos

    def hint(self, pos: int) -> None:
        """The log may reach that far. Late, doubled, lost or wrong: it costs a read at most."""
        self._want = max(self._want, pos)
        if not self._pumping and self._is_behind():
            self._pumping = True
            self.outside.spawn(self._pump(), self._context)

    def offer(self, growth: Growth) -> None:
        """A hint that brings the rows along, and so saves a read.

        No more than a hint where the feed does not come to these rows next, or took its position
        later: they may be of a line of the log that was left.
        """
        if self._holders and growth.moment > self._begun_at and len(self._offers) < OFFERS:
            self._offers[growth.rows[0].pos - 1] = growth
        self.hint(growth.pos)

    def stand(self, listener: Listener) -> None:
        """Note where a listener stands. Where it is ahead, the feed will look for its row too."""
        self._ahead.pop(listener, None)
        if self.pos is not None and listener.pos > self.pos:
            self._ahead[listener] = None
            self.hint(listener.pos)

    def forget(self, listener: Listener) -> None:
        """It stands nowhere any more."""
        self._ahead.pop(listener, None)

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call back after a while."""
        self.outside.spawn(self._wait(seconds, call), self._context)

    def mark(self) -> Mark:
        """The furthest row known here: the feed's own, or one that a listener has ahead of it."""
        if self.pos is None:
            return Mark(self.rewinds, None, None)
        furthest = max(self._ahead, key=lambda listener: listener.pos, default=None)
        if furthest is None:
            return Mark(self.rewinds, self.pos, _fence(self.id))
        return Mark(self.rewinds, furthest.pos, furthest.fence)

    def compare(self, noted: Mark, pos: int, last: UUID | None) -> None:
        """F4: hear where the log ends, and see whether what was noted before asking is there."""
        if noted.rewinds != self.rewinds:
            return
        if noted.pos is None:
            self._begin(pos, last)
        elif pos < noted.pos or (pos == noted.pos and _fence(last) != noted.fence):
            self.rewound()
        else:
            self.hint(pos)

    def rewound(self) -> None:
        """The log lost something it gave out: tell everybody, and begin anew."""
        log.warning("log_rewound", workspace_id=self.workspace_id, pos=self.pos)
        self.rewinds += 1
        self.pos = self.id = None
        self._ahead.clear()
        for listener in self.live.drop():
            listener.rewound()
        for observer in self.outside.observers:
            self._tell(observer.rewound)
        self.outside.hurry()

    def _begin(self, pos: int, last: UUID | None) -> None:
        if self.pos is None:
            self.pos, self.id, self._begun_at = pos, last, moment()
            self._offers.clear()
            self.hint(pos)

    def _is_behind(self) -> bool:
        return bool(self._holders) and self.pos is not None and self.pos < self._want

    async def _wait(self, seconds: float, call: Callable[[], None]) -> None:
        await self.outside.sleep(seconds)
        call()

    async def _pump(self) -> None:
        """F2: read on until nothing more is heard of; an error makes it pause, and never ends it."""
        try:
            while self._is_behind():
                try:
                    await self._advance()
                    self._failures = 0
                except Exception as error:
                    log.warning("feed_read_failed", exc_info=error)
                    await self.outside.sleep(PAUSES[min(self._failures, len(PAUSES) - 1)])
                    self._failures += 1
        finally:
            self._pumping = False

    async def _advance(self) -> None:
        offer = self._offers.pop(self.pos or 0, None)
        if offer is None:
            # Whatever else was offered is read along with what is missing before it.
            self._offers.clear()
            await self._read_on()
        elif offer.before == self.id:
            await self._dispatch(offer.rows, offer.moment)
        else:
            self.rewound()

    async def _read_on(self) -> None:
        rewinds, start, wanted, asked = self.rewinds, self.pos or 0, self._want, moment()
        rows = await self.outside.source.read_feed(self.workspace_id, start=start, limit=READ_ROWS)
        if rewinds != self.rewinds:
            return
        if not self._overlaps(rows):
            return self.rewound()
        new = rows[1:] if start else rows
        if new:
            await self._dispatch(new, asked)
        elif self._want == wanted:
            self._want = start

    def _overlaps(self, rows: Sequence[Row]) -> bool:
        """Whether rows begin with the one the feed has, at 0 with the first, and have no hole."""
        if not rows:
            return not self.pos
        if rows[-1].pos - rows[0].pos != len(rows) - 1:
            return False
        return (rows[0].pos, rows[0].id) == (self.pos, self.id) if self.pos else rows[0].pos == 1

    async def _dispatch(self, rows: Sequence[Row], asked: int) -> None:
        rewinds = self.rewinds
        rendered = await self._render(rows)
        if rewinds != self.rewinds:
            return
        if not self._agrees(rows):
            return self.rewound()
        self.pos, self.id = self._stands_after(rows)
        self.live.take(rows, rendered, asked=asked)
        for observer in self.outside.observers:
            self._tell(observer, rows)

    def _tell(self, tell: Callable[..., None], *what: Sequence[Row]) -> None:
        """One observer's fault must not keep the others in the dark."""
        try:
            tell(self.workspace_id, *what)
        except Exception as error:
            log.error("observer_failed", exc_info=error)

    async def _render(self, rows: Sequence[Row]) -> Rendered:
        try:
            return await self.live.render(self.outside.source, self.workspace_id, rows)
        except Exception as error:
            if self._failures < RENDER_TRIES:
                raise
            log.error("events_not_rendered", exc_info=error)
            return {}

    def _agrees(self, rows: Sequence[Row]) -> bool:
        """Whether each listener that was ahead and is reached by these rows has the row it had."""
        reached = [listener for listener in self._ahead if listener.pos <= rows[-1].pos]
        for listener in reached:
            del self._ahead[listener]
        return all(
            fence(rows[listener.pos - rows[0].pos].id) == listener.fence for listener in reached
        )

    def _stands_after(self, rows: Sequence[Row]) -> tuple[int, UUID]:
        """The position after rows: what was read, never what was heard of."""
        return rows[-1].pos, rows[-1].id


def _fence(last: UUID | None) -> str | None:
    return fence(last) if last else None
