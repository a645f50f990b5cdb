"""Group commit: concurrent drafts of a workspace share one transaction.

Owns the lane: a bounded first-in-first-out of drafts with at most one batch in flight, started at
the next turn of the event loop, without a timer. Knows nothing of chat: what a batch does is the
function handed in, which must be all or nothing and answer each draft with a result or its own
error. Each caller is answered after the commit of its batch; a caller that leaves cancels nothing.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import structlog

from chat_service import metrics
from chat_service.config import Limits
from chat_service.errors import Overloaded, ServiceError, Unavailable
from chat_service.events.transaction import Deadlock, inside_transaction

DEADLOCK_TRIES: Final = 3
UNDIVIDED: Final = 16
"""So many drafts go together, whoever waits behind them."""

Draft = TypeVar("Draft")
Result = TypeVar("Result")
WriteBatch = Callable[[Sequence[Draft]], Awaitable[Sequence[Result | Exception]]]

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Waiting(Generic[Draft, Result]):
    """A draft on its way; `size` is in bytes."""

    draft: Draft
    size: int
    answer: asyncio.Future[Result]
    expiry: asyncio.TimerHandle = field(init=False)


class Lane(Generic[Draft, Result]):
    """The drafts of one workspace in this process."""

    def __init__(self, write: WriteBatch[Draft, Result], limits: Limits) -> None:
        self._write = write
        self._limits = limits
        self._waiting: deque[Waiting[Draft, Result]] = deque()
        self._runner: asyncio.Task[None] | None = None
        # A batch is of many requests: what is said of it must not go by the id of one of them.
        self._context = contextvars.copy_context()
        self._context.run(structlog.contextvars.clear_contextvars)

    async def submit(self, draft: Draft, *, size: int, room: float = 1.0) -> Result:
        """Wait for a draft's turn and its commit; `room` is the part of the lane that it may find taken.

        Raises Overloaded where the lane is full or the draft waited too long, the draft's own
        error, or DatabaseUnavailable where the outcome is unknown.
        """
        if inside_transaction():
            raise RuntimeError(
                "a lane must not be awaited inside a transaction: it would wait for it"
            )
        if len(self._waiting) >= self._limits.lane_drafts * room:
            (metrics.LANE_FULL if room == 1.0 else metrics.OVERLOADED.labels("customers")).inc()
            raise Overloaded()
        loop = asyncio.get_running_loop()
        waiting: Waiting[Draft, Result] = Waiting(draft, size, loop.create_future())
        waiting.answer.add_done_callback(_retrieve)
        waiting.expiry = loop.call_later(self._limits.lane_seconds, self._expire, waiting)
        self._waiting.append(waiting)
        if self._runner is None:
            self._runner = loop.create_task(self._run(), context=self._context)
        return await asyncio.shield(waiting.answer)

    @property
    def waiting(self) -> int:
        """How many drafts wait for their batch."""
        return len(self._waiting)

    async def flush(self) -> None:
        """Wait until no draft waits and no batch is in flight."""
        if self._runner is not None:
            await asyncio.shield(self._runner)

    def _expire(self, waiting: Waiting[Draft, Result]) -> None:
        self._waiting.remove(waiting)
        waiting.answer.set_exception(Overloaded("The message waited too long"))
        metrics.LANE_LATE.inc()

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._answer(self._take())
        finally:
            self._runner = None

    async def _answer(self, batch: list[Waiting[Draft, Result]]) -> None:
        """Commit a batch; whatever ends it, none of its callers is left without an answer."""
        try:
            metrics.BATCH_DRAFTS.observe(len(batch))
            await self._commit(batch)
        finally:
            left = [waiting for waiting in batch if not waiting.answer.done()]
            _settle(left, [Unavailable()] * len(left))

    def _take(self) -> list[Waiting[Draft, Result]]:
        """The next batch: in order, bounded in number and bytes, never empty.

        Of many that wait half are left: senders who wait for their answers would else move in step,
        and the database and this process would wait for each other by turns.
        """
        batch: list[Waiting[Draft, Result]] = []
        size = 0
        most = min(max(len(self._waiting) // 2, UNDIVIDED), self._limits.batch_drafts)
        while self._waiting and len(batch) < most:
            size += self._waiting[0].size
            if batch and size > self._limits.batch_bytes:
                break
            waiting = self._waiting.popleft()
            waiting.expiry.cancel()
            batch.append(waiting)
        return batch

    async def _commit(self, batch: list[Waiting[Draft, Result]]) -> None:
        """Run a batch; a fault of a draft is narrowed down by halves until that draft is alone."""
        try:
            results = await self._try(batch)
        except ServiceError as error:
            _settle(batch, [error] * len(batch))
        except Exception as error:
            if len(batch) == 1:
                _settle(batch, [error])
                return
            half = len(batch) // 2
            await self._commit(batch[:half])
            await self._commit(batch[half:])
        else:
            _settle(batch, results)

    async def _try(self, batch: list[Waiting[Draft, Result]]) -> Sequence[Result | Exception]:
        drafts = [waiting.draft for waiting in batch]
        for _ in range(DEADLOCK_TRIES - 1):
            try:
                return await self._write(drafts)
            except Deadlock:
                log.warning("deadlock", drafts=len(batch))
        return await self._write(drafts)


class Lanes(Generic[Draft, Result]):
    """The lanes of this process, one for each workspace that wrote."""

    def __init__(self, write: WriteBatch[Draft, Result], limits: Limits) -> None:
        self._write = write
        self._limits = limits
        self._lanes: dict[Hashable, Lane[Draft, Result]] = {}

    def of(self, workspace: Hashable) -> Lane[Draft, Result]:
        """The lane of a workspace."""
        lane = self._lanes.get(workspace)
        if lane is None:
            lane = self._lanes[workspace] = Lane(self._write, self._limits)
        return lane

    def filled(self, workspace: Hashable) -> float:
        """What part of a workspace's lane is taken, from 0 to 1."""
        lane = self._lanes.get(workspace)
        return lane.waiting / self._limits.lane_drafts if lane is not None else 0.0

    @property
    def waiting(self) -> int:
        """How many drafts wait in all lanes."""
        return sum(lane.waiting for lane in self._lanes.values())

    async def flush(self) -> None:
        """Wait until every lane is empty, at shutdown."""
        await asyncio.gather(*(lane.flush() for lane in self._lanes.values()))


def _settle(batch: list[Waiting[Draft, Result]], results: Sequence[Result | Exception]) -> None:
    for waiting, result in zip(batch, results, strict=True):
        if isinstance(result, Exception):
            waiting.answer.set_exception(result)
        else:
            waiting.answer.set_result(result)


def _retrieve(answer: asyncio.Future[Result]) -> None:
    """Look at an error nobody waits for any more, so that it is not reported as forgotten."""
    answer.exception()
