"""One connection's place in one session: where it begins, what it is given next, when it resets.

Owns F5 and F6 of the delivery algorithm. It holds a position and no queue: whoever has the
connection pulls, and is woken when there may be something. Leaves frames and access to its owner.
"""

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from functools import partial
from typing import Final, TypeVar

import structlog

from chat_service import metrics
from chat_service.events.persist import RETRY_SECONDS, Left, persist
from chat_service.events.pump import Feed
from chat_service.events.ring import Entry
from chat_service.events.source import Head, Item, Side
from chat_service.schema import Cursor, SessionId

PULL_EVENTS: Final = 64
PULL_BYTES: Final = 64 * 1024 - 512
"""Of events, each with its comma: with what stands around them a frame has 64 KiB."""
GONE_SECONDS: Final = 0.5
"""After a read that lacked a promised row; the head check finds out why."""

Answer = TypeVar("Answer")
Read = Callable[[], Awaitable[tuple[int, Head, Answer]]]
"""Reads where to begin, what stands there, and whatever else is of that moment."""

log = structlog.get_logger(__name__)


class Reset(StrEnum):
    """Why a reader has to begin anew, with a snapshot."""

    CURSOR_EXPIRED = "cursor_expired"
    CURSOR_AHEAD = "cursor_ahead"
    CURSOR_MISMATCH = "cursor_mismatch"
    REWOUND = "rewound"
    REMOVED = "removed"
    TOO_FAR_BEHIND = "too_far_behind"


class Subscription:
    """A reader of one session on one side; one task at a time attaches and pulls.

    `sent` and `fence` are of the last event given out, `pos` is where its row stands in the
    workspace. It is `ready` from an attach until a reset.
    """

    def __init__(
        self, feed: Feed, session_id: SessionId, side: Side, *, wake: Callable[[], None]
    ) -> None:
        self.sent = 0
        self.fence: str | None = None
        self.pos = 0
        self.ready = False
        self.wake = wake
        self._feed = feed
        self._session_id = session_id
        self._side = side
        self._entry: Entry | None = None
        self._begun = 0
        self._lost = False
        self._rests = False
        self._closed = False
        feed.hold(self)

    @property
    def has_more(self) -> bool:
        """Whether a pull gives something, as far as is known here."""
        return self.ready and self._entry is not None and self.sent < self._entry.head

    @property
    def behind(self) -> int:
        """How many events wait to be given out that have come since it began."""
        if self._entry is None or not self.ready:
            return 0
        return self._entry.head - max(self.sent, self._begun)

    async def attach(self, cursor: Cursor, *, at_most: int | None = None) -> int | Reset:
        """Begin after a cursor of this side's kind: the number of the head, or why that cannot be.

        More than `at_most` events behind is TOO_FAR_BEHIND. Waits for as long as the source fails;
        raises only a ServiceError that no repeat can help.
        """
        _, head, _ = await self._enter(partial(self._find, cursor.position))
        reason = self._judge(cursor, head)
        if reason is None and at_most is not None and head.number - cursor.position > at_most:
            reason = Reset.TOO_FAR_BEHIND
        return self._reset(reason) if reason else self._begin(cursor.position, head)

    async def attach_snapshot(
        self, read: Callable[[], Awaitable[tuple[Head, Answer]]], *, once: bool = False
    ) -> Answer:
        """Begin at the head of a snapshot, which `read` takes of one moment of the database.

        `read` is called when the session is listened to already, again after an error, and again
        where the log was rewound meanwhile. Its Head is that of position `number`. Raises as attach;
        with `once` all that the source raises too, and wakes when it may be tried again.
        """

        async def begin() -> tuple[int, Head, Answer]:
            head, answer = await read()
            return head.number, head, answer

        position, head, answer = await self._enter(begin, once=once)
        self._begin(position, head)
        return answer

    async def pull(self) -> Sequence[Item] | Reset:
        """The next events, up to 64 and 64 KiB but at least one; none where there is no more now.

        A reset is told once, and nothing comes after it until the next attach. A failed read gives
        nothing, and wakes when it may be tried again.
        """
        entry = self._entry
        if entry is None or not self.ready:
            return self._told()
        if self._rests or self.sent >= entry.head:
            return ()
        rows = entry.ring.after((self.sent, self.fence))
        return self._give(rows) if rows else await self._read(entry)

    def close(self) -> None:
        """Listen no more: nothing is woken, nothing kept. An attach under way raises Left."""
        self._closed = True
        self._leave()
        self._feed.release(self)

    def rewound(self) -> None:
        """Told by the feed, which has dropped the entry: what was given out may be gone."""
        self._entry = None
        if self.ready:
            self.ready, self._lost = False, True
            self.wake()

    async def _enter(self, read: Read[Answer], *, once: bool = False) -> tuple[int, Head, Answer]:
        self.ready = self._lost = False
        if once:
            try:
                return await self._locate(read)
            except Exception:
                self._rest(RETRY_SECONDS)
                raise
        return await persist(partial(self._locate, read), self._feed.outside.sleep)

    async def _locate(self, read: Read[Answer]) -> tuple[int, Head, Answer]:
        """F5: the feed has its position, the session is listened to, and only then it is read."""
        while True:
            since = await self._feed.open()
            entry = self._join()
            position, head, answer = await read()
            if self._entry is entry and self._holds(since, position, head.fence, head.pos):
                return position, head, answer

    async def _find(self, position: int) -> tuple[int, Head, None]:
        source, workspace_id = self._feed.outside.source, self._feed.workspace_id
        head = await source.session_head(workspace_id, self._session_id, self._side, position)
        return position, head, None

    def _judge(self, cursor: Cursor, head: Head) -> Reset | None:
        """Whether the log still has the cursor's event, and goes on from there."""
        if cursor.position > head.number:
            return Reset.CURSOR_AHEAD
        if cursor.position and head.fence is None:
            return Reset.CURSOR_EXPIRED
        if cursor.position and cursor.fence not in (None, head.fence):
            return Reset.CURSOR_MISMATCH
        if cursor.position < head.number and not head.follows:
            return Reset.CURSOR_EXPIRED
        return None

    def _begin(self, position: int, head: Head) -> int:
        entry = self._join()
        entry.head = max(entry.head, head.number)
        entry.begin((position, head.fence))
        self.ready, self._begun = True, head.number
        self._stand(position, head.fence, head.pos)
        self.wake()
        return head.number

    async def _read(self, entry: Entry) -> Sequence[Item] | Reset:
        since = self._feed.pos or 0
        try:
            rows = await self._feed.outside.source.read_session(
                self._feed.workspace_id,
                self._session_id,
                self._side,
                start=self.sent,
                upto=entry.head,
                limit=PULL_EVENTS + 1,
            )
        except Exception as error:
            log.warning("live_read_failed", exc_info=error)
            return self._rest(RETRY_SECONDS)
        if self._entry is not entry:
            return self._told()
        last = rows[-1] if rows else None
        if last and not self._holds(since, last.number, last.fence, last.row.pos):
            return self._told()
        if not self._overlaps(rows):
            self._feed.outside.hurry()
            return self._reset(Reset.REWOUND)
        return self._give(rows[1:] if self.sent else rows)

    def _give(self, rows: Sequence[Item]) -> Sequence[Item] | Reset:
        """F6: what follows the last event given out, which is still there."""
        batch = _within_bounds(rows)
        if not batch:
            self._feed.outside.hurry()
            return self._rest(GONE_SECONDS)
        last = batch[-1]
        if last.number != self.sent + len(batch):
            return self._reset(Reset.REMOVED)
        self._stand(last.number, last.fence, last.row.pos)
        metrics.EVENTS_DELIVERED.add(len(batch))
        return batch

    def _overlaps(self, rows: Sequence[Item]) -> bool:
        """Whether rows begin with the event given out last."""
        if not self.sent:
            return True
        return bool(rows) and (rows[0].number, rows[0].fence) == (self.sent, self.fence)

    def _holds(self, since: int, number: int, end: str | None, pos: int) -> bool:
        """Whether the feed, where it passed a row while that was being read, had the same one.

        What lies at or before `since`, the feed's position before the read, its own next overlap
        vouches for; what is beyond its position now, it will compare when it comes there.
        """
        entry, now = self._join(), self._feed.pos or 0
        if not since < pos <= now or entry.last[0] > number or entry.last == (number, end):
            return True
        self._feed.rewound()
        return False

    def _stand(self, number: int, end: str | None, pos: int) -> None:
        self.sent, self.fence, self.pos = number, end, pos
        self._feed.stand(self)

    def _rest(self, seconds: float) -> Sequence[Item]:
        self._rests = True
        self._feed.later(seconds, self._resume)
        return ()

    def _resume(self) -> None:
        self._rests = False
        if not self._closed:
            self.wake()

    def _told(self) -> Sequence[Item] | Reset:
        if not self._lost:
            return ()
        self._lost = False
        return _counted(Reset.REWOUND)

    def _reset(self, reason: Reset) -> Reset:
        self._leave()
        self.ready = False
        return _counted(reason)

    def _join(self) -> Entry:
        if self._closed:
            raise Left()
        if self._entry is None:
            self._entry = self._feed.live.join((self._session_id, self._side), self)
        return self._entry

    def _leave(self) -> None:
        self._entry = None
        self._feed.live.leave((self._session_id, self._side), self)
        self._feed.forget(self)


def _counted(reason: Reset) -> Reset:
    metrics.RESETS.labels(reason).inc()
    return reason


def _within_bounds(rows: Sequence[Item]) -> Sequence[Item]:
    """At most 64 events and 64 KiB, but at least one event."""
    size = 0
    for count, item in enumerate(rows[:PULL_EVENTS]):
        size += len(item.event) + 1
        if count and size > PULL_BYTES:
            return rows[:count]
    return rows[:PULL_EVENTS]
