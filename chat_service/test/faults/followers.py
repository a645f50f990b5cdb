"""People who are told of chats while they happen, and whose connections never last.

Each goes on where he was, over any of the ways, on any node. What he was told is noted, and judged
by the checks of `deliveries`.
"""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from random import Random
from typing import Final
from uuid import UUID

import httpx2
from websockets.exceptions import WebSocketException

from chat_service.test.faults.notes import Notes
from chat_service.test.faults.records import Stretch, Viewer
from chat_service.test.faults.talks import (
    TALKS,
    Ear,
    Refused,
    TooFarBehind,
    WasReset,
    Way,
    over_polls,
)
from chat_service.test.faults.tenants import Chat, Chatter
from chat_service_client import AsyncChat, ResetByServer

LOST: Final = (httpx2.TransportError, WebSocketException, OSError, TimeoutError)
"""How a connection ends that was cut, by us or by a fault."""
PAUSE: Final = 0.1
"""Seconds until the next try where there was no connection."""


class Subscriber(ABC):
    """Somebody who follows one chat."""

    def __init__(self, name: str, chat: Chat, who: Chatter, notes: Notes) -> None:
        self.name = name
        self.session_id = chat.id
        self.viewer: Viewer = "customer" if who.slot == "customer" else "staff"
        self.ear = Ear(0, "c1.p.0" if self.viewer == "customer" else "c1.s.0")
        """What the connection of now has brought, or the last one."""
        self._person = who.person
        self._notes = notes

    @abstractmethod
    async def follow(self) -> None:
        """Follow the chat until cancelled."""

    @contextmanager
    def _listening(self) -> Iterator[Ear]:
        """One connection, of which it is noted what it brought, if there was one."""
        ear = self.ear = Ear(self.ear.number, self.ear.cursor)
        try:
            yield ear
        finally:
            if ear.opened and ear.cursor is not None:
                raw = "\n".join(ear.heard) if self.viewer == "customer" else ""
                self._notes.stretches.append(
                    Stretch(
                        self.name,
                        UUID(self.session_id),
                        self.viewer,
                        ear.after,
                        tuple(ear.told),
                        ear.resumed,
                        raw,
                    )
                )


class Restless(Subscriber):
    """Comes again and again, each time another way and to another place."""

    def __init__(
        self,
        name: str,
        chat: Chat,
        who: Chatter,
        notes: Notes,
        *,
        ways: Sequence[Way],
        random: Random,
        stays: tuple[float, float],
    ) -> None:
        super().__init__(name, chat, who, notes)
        self._ways = ways
        self._random = random
        self._stays = stays
        self._talks = TALKS

    def forget(self) -> None:
        """Begin with the session as it is, not with its beginning."""
        self.ear.cursor = None

    async def follow(self) -> None:
        """Follow the chat until cancelled."""
        while True:
            with self._listening() as ear:
                try:
                    await self._stay(ear)
                except LOST:
                    pass
                except TooFarBehind:
                    self._talks = (over_polls,)
                except WasReset as reset:
                    self._notes.note_reset(self.name, str(reset))
                    ear.cursor = None
                except Refused as refused:
                    self._refuse(refused)
            if ear.told:
                self._talks = TALKS
            elif not ear.opened:
                await asyncio.sleep(PAUSE)

    async def _stay(self, ear: Ear) -> None:
        talk, way = self._random.choice(self._talks), self._random.choice(self._ways)
        async with asyncio.timeout(self._random.uniform(*self._stays)):
            await talk(way, self._person, self.session_id, ear)

    def _refuse(self, refused: Refused) -> None:
        problem = refused.problem
        if not problem["retryable"]:
            self._notes.surprises.append(f"{self.name} was refused: {problem}")
        self._notes.refusals[problem["code"]] += 1


class WithClient(Subscriber):
    """Uses the Python client, which knows what to do by itself, at one address.

    Connections are cut here every few seconds: one that held for a second counts as steady, for
    there would be more waiting than following.
    """

    def __init__(self, name: str, chat: Chat, who: Chatter, notes: Notes, *, address: str) -> None:
        super().__init__(name, chat, who, notes)
        self._address = address

    async def follow(self) -> None:
        """Follow the chat until cancelled."""
        async with AsyncChat(self._address, self._person.token, steady=1.0) as chat:
            with self._listening() as ear:
                try:
                    async with aclosing(chat.follow(self.session_id)) as events:
                        async for event in events:
                            ear.hear(json.dumps(event), [event])
                except ResetByServer as reset:
                    self._notes.note_reset(self.name, str(reset))
