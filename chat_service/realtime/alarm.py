"""Timers of a connection that cost nothing for each frame: what is due, and what takes too long."""

import asyncio
import time
from collections.abc import Callable


class Bell:
    """Wakes who waits for it: when it is rung, or when time may have brought something.

    What is due moves away whenever something is sent. A timer for each wait would follow it, and
    cost a busy socket a fifth of its time; one that rings too early costs a look now and then.
    """

    __slots__ = ("_loop", "_is_rung", "_is_due", "_waiter", "_timer")

    def __init__(self) -> None:
        """Belongs to the loop that runs, which is a system call to ask for on Python 3.11."""
        self._loop = asyncio.get_running_loop()
        self._is_rung = False
        self._is_due = False
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def ring(self) -> None:
        """Wake who waits, or who waits next."""
        self._is_rung = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self, due_in: Callable[[], float]) -> bool:
        """Until it is rung, or was; whether time may have brought something.

        `due_in` tells in how many seconds that is, and is asked where no timer runs.
        """
        if self._timer is None:
            self._timer = self._loop.call_later(due_in(), self._time_comes)
        if not self._is_rung:
            self._waiter = self._loop.create_future()
            await self._waiter
        self._is_rung, is_due, self._is_due = False, self._is_due, False
        return is_due

    def stop(self) -> None:
        """Ring by itself no more."""
        if self._timer is not None:
            self._timer.cancel()

    def look(self) -> None:
        """Ring as if time had come: it may come sooner than was told."""
        self.stop()
        self._time_comes()

    def _time_comes(self) -> None:
        self._timer, self._is_due = None, True
        self.ring()


class Watch:
    """Tells once of a step that takes longer than `seconds`; a step in time costs no timer."""

    __slots__ = ("_seconds", "_late", "_loop", "_since", "_timer")

    def __init__(self, seconds: float, late: Callable[[], object]) -> None:
        """Belongs to the loop that runs."""
        self._seconds = seconds
        self._late = late
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, now: float) -> None:
        """A step begins; `now` is of `time.monotonic`."""
        self._since = now
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._look)

    def end(self) -> None:
        """The step is done."""
        self._since = None

    def stop(self) -> None:
        """Tell nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if self._since is None:
            return
        left = self._since + self._seconds - time.monotonic()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._late()
