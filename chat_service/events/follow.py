"""Readers of the log with a durable position: webhooks, search, mail and reports differ in `handle`.

Owns which follower works in which workspace when, in this process: hints and one query now and then
tell of work, a few places have their turn at once, the others wait in the order they came. One turn
is in `turns`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from chat_service.errors import Unavailable
from chat_service.events import readers
from chat_service.events.transaction import reading
from chat_service.events.turns import Follower, Next, Pace, Place, Turns
from chat_service.schema import Clock, ProcessId, WorkspaceId

__all__ = ["Follower", "Followers", "Pace"]

AT_ONCE: Final = 2
"""Turns at the same time, each with a database connection."""
FOUND_AT_MOST: Final = 1_000
STOP_SECONDS: Final = 4.0
"""How long turns at hand may take to end."""
USUAL: Final = Pace()

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Waiting:
    """A place between its turns, in one, or in the queue for the next."""

    place: Place
    hinted: int = 0
    """How far the log may reach."""
    again: bool = False
    """Whether it gets another turn without a hint."""
    elsewhere: bool = False
    """Whether hints do not count."""
    timer: asyncio.TimerHandle | None = None
    """Runs while it rests."""


class Followers:
    """The followers of this process, each of them in every workspace."""

    def __init__(
        self,
        followers: Sequence[Follower],
        clock: Clock,
        process_id: ProcessId,
        *,
        alone: bool = False,
        pace: Pace = USUAL,
    ) -> None:
        """`alone`: no other process uses this database, so no lease of another one counts."""
        self._followers = {follower.name: follower for follower in followers}
        self._pace = pace
        self._turns = Turns(clock, process_id, alone, pace)
        self._at_once = 1 if alone else AT_ONCE
        self._waiting: dict[tuple[WorkspaceId, str], _Waiting] = {}
        self._queue: asyncio.Queue[Callable[[], Awaitable[None]] | None] = asyncio.Queue()
        self._running = False
        self._looking = False

    def hint(self, workspace_id: WorkspaceId, pos: int) -> None:
        """A log may reach that far. Late, doubled, lost, reordered: harmless."""
        if not self._running:
            return
        for name in self._followers:
            waiting = self._waiting.get((workspace_id, name))
            if waiting is None:
                self._begin(workspace_id, name)
            elif not waiting.elsewhere:
                waiting.hinted = max(waiting.hinted, pos)

    async def run(self) -> None:
        """Follow until cancelled, on the database that is bound here.

        At its end the turns at hand are finished and the leases given back.
        """
        self._running = True
        workers = [asyncio.create_task(self._work()) for _ in range(self._at_once)]
        try:
            while True:
                if not self._looking:
                    self._looking = True
                    self._queue.put_nowait(self._look)
                await asyncio.sleep(self._pace.check)
        finally:
            self._running = False
            await self._end(workers)

    async def _work(self) -> None:
        """Do one thing after the other. None is cut off: a transaction has to come to its end."""
        while (work := await self._queue.get()) is not None:
            if self._running:
                await work()

    async def _look(self) -> None:
        """Find what no hint has told of, and what another process has left."""
        try:
            async with reading() as db:
                claim = self._turns.claim()
                found = await readers.unread(db, list(self._followers), claim, limit=FOUND_AT_MOST)
        except Exception as error:
            log.warning("followers_cannot_look", exc_info=error)
            found = []
        self._looking = False
        for workspace_id, name in found:
            waiting = self._waiting.get((workspace_id, name))
            if waiting is None:
                self._begin(workspace_id, name)
            elif waiting.elsewhere:
                self._enqueue(waiting)

    def _begin(self, workspace_id: WorkspaceId, name: str) -> None:
        waiting = _Waiting(Place(workspace_id, self._followers[name]))
        self._waiting[workspace_id, name] = waiting
        self._enqueue(waiting)

    def _enqueue(self, waiting: _Waiting) -> None:
        if waiting.timer is not None:
            waiting.timer.cancel()
        waiting.timer, waiting.elsewhere = None, False
        self._queue.put_nowait(partial(self._turn, waiting))

    async def _turn(self, waiting: _Waiting) -> None:
        hinted = waiting.hinted
        after = await self._turns.take(waiting.place)
        if not waiting.place.batch and waiting.hinted == hinted:
            waiting.hinted = 0  # no such event: the log was set back
        self._rest(waiting, after)

    def _rest(self, waiting: _Waiting, after: Next) -> None:
        waiting.again, waiting.elsewhere = after.again, after.elsewhere
        loop = asyncio.get_running_loop()
        waiting.timer = loop.call_later(after.seconds, self._rested, waiting)

    def _rested(self, waiting: _Waiting) -> None:
        place = waiting.place
        if waiting.again or (waiting.hinted > place.pos and not waiting.elsewhere):
            self._enqueue(waiting)
        else:
            del self._waiting[place.workspace_id, place.follower.name]

    async def _end(self, workers: Sequence[asyncio.Task[None]]) -> None:
        for _ in workers:
            self._queue.put_nowait(None)
        _, unfinished = await asyncio.wait(workers, timeout=STOP_SECONDS)
        for worker in unfinished:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        for waiting in self._waiting.values():
            if waiting.timer is not None:
                waiting.timer.cancel()
        self._waiting.clear()
        try:
            await self._turns.release()
        except Unavailable as error:
            log.warning("followers_keep_their_leases", exc_info=error)
