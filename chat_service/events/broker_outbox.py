"""What a process still has to publish: bounded, so that no publisher ever waits.

Owns what is coalesced and what is given up. Leaves the sending to whoever holds the connection.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

from chat_service.events.broker_messages import Ephemeral, Hint, Message
from chat_service.schema import WorkspaceId

FRESH_SECONDS: Final = 5.0
"""How long an ephemeral message is worth sending; a reader forgets typing after 6 s."""
BATCH: Final = 256


class Outbox:
    """Messages that wait to be sent, at most `most`.

    Hints of a workspace are one, the highest. Beyond the bound the oldest ephemeral goes first,
    then the oldest hint: what it told is found by the next check of heads.
    """

    def __init__(self, most: int, now: Callable[[], float] = monotonic) -> None:
        self._most = most
        self._now = now
        self._hints: dict[WorkspaceId, Hint] = {}
        self._ephemerals: deque[tuple[float, Ephemeral]] = deque()
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()

    def __len__(self) -> int:
        return len(self._hints) + len(self._ephemerals)

    def add(self, message: Message) -> None:
        """Take a message, and give up another where there are too many."""
        if isinstance(message, Ephemeral):
            self._ephemerals.append((self._now() + FRESH_SECONDS, message))
        else:
            self._add_hint(message)
        if len(self) > self._most:
            self._give_up_one()
        self._filled.set()
        self._emptied.clear()

    async def filled(self) -> None:
        """Wait until there is something to send."""
        await self._filled.wait()

    async def emptied(self) -> None:
        """Wait until everything has been sent."""
        await self._emptied.wait()

    @contextmanager
    def sending(self) -> Iterator[list[Message]]:
        """What is to be sent next; where that fails it is kept, but for what is soon stale."""
        batch = self._take()
        try:
            yield batch
        except BaseException:
            for message in batch:
                if not isinstance(message, Ephemeral):
                    self.add(message)
            raise
        if not len(self):
            self._emptied.set()

    def _add_hint(self, hint: Hint) -> None:
        known = self._hints.get(hint.workspace)
        if known is None or known.pos < hint.pos:
            self._hints[hint.workspace] = hint

    def _give_up_one(self) -> None:
        if self._ephemerals:
            self._ephemerals.popleft()
        else:
            self._pop_oldest_hint()

    def _take(self) -> list[Message]:
        batch: list[Message] = []
        while self._hints and len(batch) < BATCH:
            batch.append(self._pop_oldest_hint())
        while self._ephemerals and len(batch) < BATCH:
            until, ephemeral = self._ephemerals.popleft()
            if self._now() <= until:
                batch.append(ephemeral)
        if not len(self):
            self._filled.clear()
        return batch

    def _pop_oldest_hint(self) -> Hint:
        return self._hints.pop(next(iter(self._hints)))
