"""Work that goes on for as long as the service runs: what of it fails is logged and begun again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

AGAIN_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


def spawn(work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
    """Begin endless work, which goes on until the task is cancelled.

    Nobody awaits such a task before the service stops: one that failed would be missed by nothing
    but what it no longer does. A pause before the next try keeps a lasting fault from filling the log.
    """
    return asyncio.create_task(_keep_up(work))


async def _keep_up(work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
            return
        except Exception as error:
            log.error("background_work_failed", work=_name(work), exc_info=error)
        await asyncio.sleep(AGAIN_SECONDS)


def _name(work: Callable[[], Awaitable[None]]) -> str:
    return getattr(work, "__qualname__", repr(work))
