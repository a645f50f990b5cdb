"""Faults to be planted: each is the part as it would be with one rule of the algorithm forgotten."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from chat_service.events.feed import Feeds, Head, Item, Reset, Row, Side, Subscription
from chat_service.events.live import Live
from chat_service.events.pump import Feed, Outside
from chat_service.events.ring import Entry, Place
from chat_service.events.subscription import Answer, Read
from chat_service.schema import Cursor, SessionId, WorkspaceId
from chat_service.test.events.simulated.world import World


class NoHeadCheck(Feeds):
    """Believes that every hint comes."""

    async def check(self) -> None:
        """Look at nothing."""


class StandsWhereTold(Feed):
    """Takes its position from the hint."""

    def _stands_after(self, rows: Sequence[Row]) -> tuple[int, UUID]:
        return max(self._want, rows[-1].pos), rows[-1].id


class NoOverlap(Feed):
    """Reads on without a look at the row it has."""

    def _overlaps(self, rows: Sequence[Row]) -> bool:
        return True


class OldEntry(Entry):
    """Takes an event that a listener has for the one before what the feed asked for earlier."""

    def _before(self, number: int, asked: int) -> Place:
        return super()._before(number, sys.maxsize)


class BelievesOldAnswers(Feed):
    """Has such entries."""

    def __init__(self, workspace_id: WorkspaceId, outside: Outside) -> None:
        super().__init__(workspace_id, outside)
        self.live = type("OldLive", (Live,), {"entry_type": OldEntry})()


class NoLookAhead(Feed):
    """Forgets that a listener may have been given rows that the feed has yet to come to."""

    def _agrees(self, rows: Sequence[Row]) -> bool:
        return True


class NoLookBack(Subscription):
    """Forgets that the feed may have passed a row while that was being read."""

    def _holds(self, since: int, number: int, end: str | None, pos: int) -> bool:
        return True


class IgnoresFence(Subscription):
    """Believes every cursor whose number is in the log."""

    def _judge(self, cursor: Cursor, head: Head) -> Reset | None:
        return super()._judge(replace(cursor, fence=None), head)


class ReadsSessionFirst(Subscription):
    """Reads the session, and only then has the feed take its position."""

    async def _locate(self, read: Read[Answer]) -> tuple[int, Head, Answer]:
        found = await read()
        await self._feed.open()
        return found


class NoOverlapInSender(Subscription):
    """Gives what comes next without a look at what it gave last."""

    def _overlaps(self, rows: Sequence[Item]) -> bool:
        return True


class CountsNotes(World):
    """Gives a number of the customer's to internal events, too."""

    def next_public_seq(self, session_id: SessionId) -> int:
        """The number that staff see."""
        return len(self.view(session_id, Side.STAFF)) + 1


def with_feed(feed: type[Feed]) -> type[Feeds]:
    """Feeds that are of that kind."""
    return type(feed.__name__, (Feeds,), {"feed_type": feed})


def with_subscription(subscription: type[Subscription]) -> type[Feeds]:
    """Feeds whose subscriptions are of that kind."""
    return type(subscription.__name__, (Feeds,), {"subscription_type": subscription})
