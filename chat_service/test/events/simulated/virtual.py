"""An event loop whose time is virtual: it jumps to the next timer, and no real time passes.

What runs on it depends on nothing but its own timers, so one seed gives one history.
"""

import asyncio
import contextvars
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from structlog.testing import capture_logs

Answer = TypeVar("Answer")


class _Jump(selectors.SelectSelector):
    """Never looks at a file: it waits by moving the time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everything waits, and no timer will ever end it")
        self.now += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time begins at 0 and is in seconds."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now


def play(main: Coroutine[Any, Any, Answer]) -> Answer:
    """Run to the end, with every task it started, in virtual time; logs nothing."""
    loop = VirtualLoop()
    try:
        with capture_logs():
            return contextvars.Context().run(loop.run_until_complete, _whole(main))
    finally:
        loop.close()


async def _whole(main: Coroutine[Any, Any, Answer]) -> Answer:
    try:
        return await main
    finally:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
