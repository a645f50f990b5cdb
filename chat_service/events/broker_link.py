"""One connection to a broker, kept for ever: made, watched, given up and made again.

Owns when the broker counts as down and how long the next try waits. Leaves to each adapter how its
connection is made and what it sends.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from secrets import SystemRandom, token_hex
from typing import Any, Final, Protocol

import structlog

from chat_service.config import BrokerSettings
from chat_service.events.broker_messages import Message, decode, encode
from chat_service.events.broker_outbox import Outbox
from chat_service.schema import WorkspaceId

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 2.0

log = structlog.get_logger(__name__)

Outgoing = tuple[WorkspaceId, bytes]
Take = Callable[[bytes], None]
"""Is called in the event loop with whatever arrived."""


class Link(Protocol):
    """One connection, until it fails."""

    async def serve(self) -> None:
        """Do what the connection needs besides sending; raises when it is lost."""

    async def send(self, outgoing: Sequence[Outgoing]) -> None:
        """Hand messages over."""

    async def check(self) -> None:
        """Return when the broker has shown that it still delivers to this connection."""

    async def close(self) -> None:
        """Give the connection up, in a bounded time."""


class LinkedBroker(ABC):
    """A broker behind one connection of this process; all of it belongs to one event loop."""

    def __init__(self, settings: BrokerSettings, *, pause_seconds: float) -> None:
        """`pause_seconds` is how long sending waits after each time, for more to send at once."""
        self._settings = settings
        self._pause_seconds = pause_seconds
        self._outbox = Outbox(settings.outbox_messages)
        # What this process published may come back to it: it begins with this.
        self._sender = token_hex(8).encode()
        self._is_up: bool | None = None
        self._failures = 0
        self._is_stopping = False
        self._task: asyncio.Task[None] | None = None

    async def start(
        self, receive: Callable[[Message], None], outage: Callable[[bool], None]
    ) -> None:
        """Begin to connect, and return at once; see `Broker`."""
        self._receive = receive
        self._outage = outage
        self._task = asyncio.create_task(self._keep_up())

    async def stop(self) -> None:
        """Send what waits, where that is possible soon, and end."""
        if self._is_up:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.answer_seconds):
                    await self._outbox.emptied()
        self._is_stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def publish(self, message: Message) -> None:
        """Let a message be sent soon, if at all."""
        self._outbox.add(message)

    @abstractmethod
    async def _connect(self, take: Take) -> Link:
        """A connection that has shown that it delivers."""

    async def _keep_up(self) -> None:
        while not self._is_stopping:
            try:
                await self._use_one()
            except Exception as error:
                self._note_failure(error)
            await asyncio.sleep(self._wait_seconds())

    async def _use_one(self) -> None:
        """Live on one connection until it fails; raises what it could not be made for."""
        async with asyncio.timeout(self._settings.answer_seconds):
            link = await self._connect(self._take)
        try:
            self._note(up=True)
            # Told before the connection is closed, which may take its time.
            self._note_failure(
                await _first_failure(link.serve(), self._send(link), self._check(link))
            )
        finally:
            await link.close()

    async def _send(self, link: Link) -> None:
        while True:
            await self._outbox.filled()
            with self._outbox.sending() as messages:
                outgoing = [(each.workspace, self._sender + encode(each)) for each in messages]
                # Without a limit: a link that takes nothing any more fails its check.
                await link.send(outgoing)
            await asyncio.sleep(self._pause_seconds)

    async def _check(self, link: Link) -> None:
        while True:
            await asyncio.sleep(self._settings.check_seconds)
            async with asyncio.timeout(self._settings.answer_seconds):
                await link.check()
            self._failures = 0

    def _take(self, data: bytes) -> None:
        if data.startswith(self._sender):
            return
        try:
            message = decode(data[len(self._sender) :])
        except ValueError:
            log.warning("garbage from the broker", bytes=len(data))
            return
        self._receive(message)

    def _note_failure(self, error: Exception) -> None:
        self._failures += 1
        self._note(up=False, error=error)

    def _note(self, *, up: bool, error: Exception | None = None) -> None:
        if self._is_up is up:
            return
        self._is_up = up
        if up:
            log.info("the broker is there")
        else:
            log.warning("the broker is away", exc_info=error)
        self._outage(not up)

    def _wait_seconds(self) -> float:
        longest = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(self._failures, 8))
        return SystemRandom().uniform(longest / 2, longest)


async def _first_failure(*endless: Coroutine[Any, Any, None]) -> Exception:
    """Run together what ends by an error alone, and tell the error of the first."""
    tasks = [asyncio.create_task(each) for each in endless]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    return next(end for end in ends if isinstance(end, Exception))
