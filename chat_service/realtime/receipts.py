"""Read marks that come as frames: written in the background, each in its turn, many in one commit."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Final

import structlog

from chat_service.errors import ServiceError
from chat_service.events.transaction import transaction
from chat_service.realtime.marks import Pace
from chat_service.schema import Clock
from chat_service.sessions import watermarks
from chat_service.sessions.marks import Mark, Place

RETRY_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class Receipts:
    """The marks of this process that wait to be written."""

    def __init__(self, clock: Clock, moved: Callable[[Place], None]) -> None:
        """`moved` is called with each session whose marks have been written."""
        self._clock = clock
        self._moved = moved
        self._pace = Pace()
        self._wakeup = asyncio.Event()

    def note(self, mark: Mark) -> None:
        """Have a mark written soon: at once, or within a second of the last one of this reader."""
        self._pace.offer(mark, now=asyncio.get_running_loop().time())
        self._wakeup.set()

    async def run(self) -> None:
        """Write what is due, until cancelled."""
        while True:
            await self._pause()
            marks = self._pace.due(now=asyncio.get_running_loop().time())
            try:
                await self._write(marks)
            except asyncio.CancelledError:
                self._again(marks)
                raise

    async def flush(self) -> None:
        """Write all that waits."""
        await self._write(self._pace.rest())

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._pace.next_due()):
                await self._wakeup.wait()
        self._wakeup.clear()

    async def _write(self, marks: Iterable[Mark]) -> None:
        for _, group in groupby(sorted(marks, key=_workspace), key=_workspace):
            await self._write_together(list(group))

    async def _write_together(self, marks: Sequence[Mark]) -> None:
        """One transaction for a workspace; what cannot be written now is tried again.

        A fault of a mark is narrowed down by halves until that mark is alone.
        """
        try:
            async with transaction() as db:
                own = await watermarks.of_present_customers(db, marks)
                await watermarks.raise_marks(db, own, now=self._clock())
        except ServiceError as error:
            log.warning("marks_not_written", marks=len(marks), exc_info=error)
            self._again(marks)
        except Exception as error:
            if len(marks) == 1:
                log.error("mark_lost", session=str(marks[0].session_id), exc_info=error)
                return
            half = len(marks) // 2
            await self._write_together(marks[:half])
            await self._write_together(marks[half:])
        else:
            for mark in marks:
                self._moved(mark.place)

    def _again(self, marks: Iterable[Mark]) -> None:
        for mark in marks:
            self._pace.offer(mark, now=asyncio.get_running_loop().time() + RETRY_SECONDS)


def _workspace(mark: Mark) -> str:
    return mark.workspace_id.hex
