"""A reader of one session: it connects, applies what comes by the rule of every client, and moves on.

Whatever it is given that is not the next event of its own log it notes as broken.
"""

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from uuid import UUID

from chat_service.events.feed import Feeds, Item, Reset, Side, Subscription
from chat_service.schema import Cursor, CursorKind, SessionId
from chat_service.test.events.simulated.sources import WorldSource
from chat_service.test.events.simulated.world import WORKSPACE, Event, World


class Client:
    """A person at a screen. Its state outlives its connections: events and messages, by id."""

    def __init__(self, session_id: SessionId, side: Side, random: Random, *, slow: bool) -> None:
        self.session_id = session_id
        self.side = side
        self.events: list[UUID] = []
        self.versions: dict[UUID, int] = {}
        self.number = 0
        self.resets: list[Reset] = []
        self.broken: list[str] = []
        self._fence: str | None = None
        self._random = random
        self._slow = slow
        self._begins_anew = random.random() < 0.5

    async def follow(self, feeds: Feeds, source: WorldSource) -> None:
        """Follow the session over one connection, until cancelled."""
        woken = asyncio.Event()
        subscription = feeds.subscribe(WORKSPACE, self.session_id, self.side, wake=woken.set)
        try:
            await self._begin(subscription, source)
            while True:
                await woken.wait()
                woken.clear()
                while await self._pull(subscription, source):
                    pass
        finally:
            subscription.close()

    def faults(self, world: World, *, messages: bool) -> list[str]:
        """What is wrong at the end, when nothing has happened for a while.

        `messages` are compared where the log was never rewound: a client whose events all stayed
        may have seen a later version of a message, which is then gone.
        """
        log = world.view(self.session_id, self.side)
        faults = list(self.broken)
        if self.events != [event.id for event in log]:
            faults.append(f"has {len(self.events)} events that are not the {len(log)} of its log")
        shown = {event.message_id: world.versions[event.message_id] for event in log}
        if messages and self.versions != shown:
            faults.append("shows a message as it no longer is")
        return [f"{self.side} of session {self.session_id.int}: {fault}" for fault in faults]

    async def _begin(self, subscription: Subscription, source: WorldSource) -> None:
        if not self._begins_anew:
            answer = await subscription.attach(self._cursor())
            if not isinstance(answer, Reset):
                return
            self.resets.append(answer)
        await self._begin_anew(subscription, source)

    async def _begin_anew(self, subscription: Subscription, source: WorldSource) -> None:
        self._begins_anew = True
        rows, versions = await subscription.attach_snapshot(
            lambda: source.snapshot(self.session_id, self.side)
        )
        self._show(rows, versions, subscription.fence)

    async def _pull(self, subscription: Subscription, source: WorldSource) -> bool:
        """Take what there is; whether there may be more."""
        given = await subscription.pull()
        if isinstance(given, Reset):
            self.resets.append(given)
            await self._begin_anew(subscription, source)
            return True
        if given:
            await asyncio.sleep(self._random.uniform(0.1, 1.0) if self._slow else 0.001)
        for item in given:
            self._apply(item)
        return bool(given)

    def _show(self, rows: Sequence[Event], versions: Mapping[UUID, int], end: str | None) -> None:
        self._begins_anew = False
        self.events, self.versions = [row.id for row in rows], dict(versions)
        self.number, self._fence = rows[-1].number(self.side) if rows else 0, end

    def _apply(self, item: Item) -> None:
        event = item.row
        assert isinstance(event, Event)
        if item.number != self.number + 1:
            self.broken.append(f"was given number {item.number} after {self.number}")
        if event.before.get(self.side, event.id) != (self.events[-1] if self.events else None):
            self.broken.append(f"was given number {item.number} of another state of the log")
        self.number, self._fence = item.number, item.fence
        self.events.append(event.id)
        message, version = item.event.decode().split()
        self.versions[UUID(message)] = max(int(version), self.versions.get(UUID(message), 0))

    def _cursor(self) -> Cursor:
        kind = CursorKind.STAFF if self.side is Side.STAFF else CursorKind.PUBLIC
        return Cursor(kind, self.number, self._fence)
