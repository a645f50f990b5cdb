"""Leaving in order: not ready, then no new connections, then the work at hand is finished.

Owns the order and the bound of the whole. The application reads `draining` and adds what it has to
finish; how connections are accepted and requests are waited for is known to `process`.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger(__name__)


class Drain:
    """Whether this process is leaving, and what has to be finished before it has left."""

    draining: bool = False
    """True once the process is no longer ready."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], Awaitable[None]]] = []

    def add(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Have `callback` awaited at the drain, beside the requests in flight.

        It finishes the work at hand and still takes the work of those requests; what has to be
        closed is closed after them, in the application's lifespan. It is cancelled when its time
        is up; its errors are logged.
        """
        self._callbacks.append(callback)

    async def run(self, *, wait: float, limit: float, stop: Callable[[], Awaitable[None]]) -> float:
        """Turn not ready, `wait`, await `stop`, then finish the callbacks within `limit`.

        `stop` ends the accepting of requests; without a wait nobody has to be told before, and the
        process is ready until then. All times are seconds; returns how much of `limit` is left for
        the requests still in flight.
        """
        if wait > 0:
            self.draining = True
            await asyncio.sleep(wait)
        await stop()
        self.draining = True
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        try:
            async with asyncio.timeout_at(end):
                await self._finish()
        except TimeoutError:
            log.error("drain_unfinished", seconds=limit)
        return max(0.0, end - loop.time())

    async def _finish(self) -> None:
        callbacks = (callback() for callback in self._callbacks)
        for result in await asyncio.gather(*callbacks, return_exceptions=True):
            if isinstance(result, BaseException):
                log.error("drain_failed", exc_info=result)
