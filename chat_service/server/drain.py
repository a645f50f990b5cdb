"""Leaving in order: not ready, no new connections, goodbyes, then the work at hand is finished.

Owns the order and the bound of the whole. The application reads `draining` and adds what it has to
say and to finish; how connections are accepted and ended is known to `process`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

log = structlog.get_logger(__name__)


class Drain:
    """Whether this process is leaving, and what has to be finished before it has left."""

    draining: bool = False
    """True once the process is no longer ready."""

    def __init__(self) -> None:
        self._farewells: list[Callable[[float], Awaitable[None]]] = []
        self._callbacks: list[Callable[[], Awaitable[None]]] = []

    def add_farewell(self, farewell: Callable[[float], Awaitable[None]]) -> None:
        """Have `farewell(window)` awaited at the drain, before what `add` was given.

        It ends what would stay open for ever, WebSockets and streams, each at its own moment of
        the next `window` seconds, so that their clients do not all come back at once. When every
        farewell has returned the server closes the sockets that are left, with 1012, over what is
        left of the window. Farewells are cancelled and logged as callbacks are.
        """
        self._farewells.append(farewell)

    def add(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Have `callback` awaited at the drain, beside the requests in flight.

        It finishes the work at hand and still takes the work of those requests; what has to be
        closed is closed after them, in the application's lifespan. It is cancelled when its time
        is up; its errors are logged.
        """
        self._callbacks.append(callback)

    async def run(
        self,
        *,
        wait: float,
        window: float,
        limit: float,
        stop: Callable[[], Awaitable[None]],
        close: Callable[[float], Awaitable[None]],
    ) -> float:
        """Turn not ready, `wait`, await `stop`, then farewells and callbacks within `limit`.

        `stop` ends the accepting of requests; without a wait nobody has to be told before, and the
        process is ready until then. `close(seconds)` closes the sockets that farewells left. All
        times are seconds; returns how much of `limit` is left for the requests still in flight.
        """
        if wait > 0:
            self.draining = True
            await asyncio.sleep(wait)
        await stop()
        self.draining = True
        loop = asyncio.get_running_loop()
        begin = loop.time()
        window = min(window, limit)
        try:
            async with asyncio.timeout_at(begin + limit):
                await _all(farewell(window) for farewell in self._farewells)
                await close(max(0.0, begin + window - loop.time()))
                await _all(callback() for callback in self._callbacks)
        except TimeoutError:
            log.error("drain_unfinished", seconds=limit)
        return max(0.0, begin + limit - loop.time())


async def _all(awaitables: Iterable[Awaitable[None]]) -> None:
    """Await all, and log those that fail: they must not keep the others from finishing."""
    for result in await asyncio.gather(*awaitables, return_exceptions=True):
        if isinstance(result, BaseException):
            log.error("drain_failed", exc_info=result)
