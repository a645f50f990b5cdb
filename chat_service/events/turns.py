"""One turn of a follower in a workspace: read on, have the effect, keep the position, all or nothing.

Owns the transaction of a turn, and what becomes of an event that fails again and again. Leaves when
a place has its turn to `follow`, the SQL to `readers`.
"""

import traceback
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

import structlog
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.errors import Unavailable
from chat_service.events import log, readers
from chat_service.events.readers import Claim
from chat_service.events.transaction import transaction
from chat_service.schema import Clock, ProcessId, ReaderStatus, WorkspaceId

AT_MOST: Final = 200
"""How many events one turn reads."""
TRIES: Final = 10
"""How often an event may fail before it is passed by."""
LEFT_BEHIND: Final = timedelta(days=7)
ERROR_LENGTH: Final = 200
ROOT: Final = Path(__file__).parents[1]


class Follower(Protocol):
    """Somebody who follows the log of every workspace, and is told each event once, in order."""

    @property
    def name(self) -> str:
        """What its positions are kept under, for ever; at most 64 characters."""

    @property
    def types(self) -> Collection[str]:
        """Which events it wants; the others only move its position."""

    async def handle(self, db: AsyncSession, events: Sequence[Row[Any]]) -> None:
        """Have the effect of some events of one workspace, rows of the log, never none.

        What is done through `db` is done together with the position, so exactly once. Whatever is
        raised undoes it, and the same events come again, in other portions. The row of the follower
        is locked: other locks are taken after it, in their order. Nothing is waited for but `db`,
        which has time-outs of its own: a transaction must not be cut from outside.
        """


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and for how long, in seconds; only tests are in a hurry."""

    check: float = 5.0
    """Between two looks for work that no hint has told of."""
    rest: float = 1.0
    """Between two turns at one place that has caught up."""
    pause: float = 0.1
    """After the first failure of an event; doubles with each further one, up to half a lease."""
    lease: float = 30.0


@dataclass(slots=True, eq=False)
class Place:
    """A follower in a workspace, as long as this process has to do with it."""

    workspace_id: WorkspaceId
    follower: Follower
    pos: int = 0
    """How far it is known to have read."""
    limit: int = AT_MOST
    """How many events the next turn reads: fewer after a failure, until the bad one is alone."""
    batch: Sequence[Row[Any]] = ()
    """What the last turn was about."""
    failing: UUID | None = None
    """The event that failed alone, `tries` times by now, the last time by `error`."""
    tries: int = 0
    error: str = ""

    @property
    def given_up(self) -> bool:
        """Whether the event at hand has had its tries."""
        return self.tries >= TRIES and self.failing == self.batch[0].id

    def said(self) -> dict[str, Any]:
        """What the log of the service tells of it."""
        return {
            "follower": self.follower.name,
            "workspace": str(self.workspace_id),
            "pos": self.batch[0].pos if self.batch else self.pos,
        }


@dataclass(frozen=True, slots=True)
class Next:
    """When a place may have its next turn: in so many seconds, if it was hinted at meanwhile.

    With `again` in any case. With `elsewhere` hints do not count: another process works there, or
    nobody may.
    """

    seconds: float = 0.0
    again: bool = False
    elsewhere: bool = False


@dataclass(slots=True)
class Turns:
    """The turns that a process takes."""

    clock: Clock
    process_id: ProcessId
    alone: bool
    pace: Pace
    _held: dict[WorkspaceId, datetime] = field(default_factory=dict)
    """Until when this process has a lease in a workspace."""
    _log: Any = field(init=False)

    def __post_init__(self) -> None:
        self._log = structlog.get_logger(__name__).bind(process=str(self.process_id))

    def claim(self) -> Claim:
        """Which leases may be taken now."""
        lease = timedelta(seconds=self.pace.lease)
        return Claim(self.process_id, self.clock(), lease, self.alone)

    async def take(self, place: Place) -> Next:
        """Read on at a place. What fails is logged, and tried again when `Next` says."""
        place.batch = ()
        try:
            return await self._keep_lease(place) or await self._read_on(place)
        except Unavailable as error:
            self._log.warning("follower_waits", **place.said(), exc_info=error)
            return Next(self.pace.rest, again=True)
        except Exception as error:
            return self._failed(place, error)

    async def release(self) -> None:
        """Let others take over at once. Raises DatabaseUnavailable."""
        if self._held:
            async with transaction() as db:
                await readers.release(db, self._held, self.process_id, now=self.clock())

    async def _keep_lease(self, place: Place) -> Next | None:
        """Before a turn that may fail again: renew the lease in a transaction that does not."""
        if not place.tries:
            return None
        async with transaction() as db:
            claim = self.claim()
            row = await self._enter(db, place, claim)
            if isinstance(row, Next):
                return row
            await self._store(db, place, claim)
        return None

    async def _read_on(self, place: Place) -> Next:
        async with transaction() as db:
            claim = self.claim()
            row = await self._enter(db, place, claim)
            if isinstance(row, Next):
                return row
            place.pos = row.pos
            place.batch = await log.read_on(db, place.workspace_id, row.pos, limit=place.limit)
            if not place.batch:
                return Next(self.pace.rest)
            if await self._is_left_behind(db, place, row, claim.now):
                await self._expire(db, place)
                return Next(self.pace.lease, elsewhere=True)
            await self._handle(db, place)
            await self._store(db, place, claim, pos=place.batch[-1].pos)
        return self._succeeded(place)

    async def _enter(self, db: AsyncSession, place: Place, claim: Claim) -> Row[Any] | Next:
        """Take the lock and see whether the work is this process's; else when to look again."""
        row = await readers.lock(db, place.workspace_id, place.follower.name)
        if row is None:
            made = await readers.make(db, place.workspace_id, place.follower.name)
            return Next(0.0 if made else self.pace.rest, again=True)
        if row.status is not ReaderStatus.ACTIVE:
            return Next(self.pace.lease, elsewhere=True)
        if not claim.allows(row):
            left = (row.leased_until - claim.now).total_seconds()
            return Next(left, elsewhere=True)
        return row

    async def _handle(self, db: AsyncSession, place: Place) -> None:
        wanted = [row for row in place.batch if row.type in place.follower.types]
        if place.given_up:
            await readers.bury(
                db,
                place.workspace_id,
                place.follower.name,
                pos=place.batch[0].pos,
                error=place.error,
                tries=place.tries,
            )
        elif wanted:
            await place.follower.handle(db, wanted)

    async def _store(self, db: AsyncSession, place: Place, claim: Claim, **values: Any) -> None:
        values |= {"owner": self.process_id, "leased_until": claim.until}
        await readers.store(db, place.workspace_id, place.follower.name, **values)
        now = claim.now
        self._held = {each: until for each, until in self._held.items() if until > now}
        self._held[place.workspace_id] = claim.until

    async def _is_left_behind(
        self, db: AsyncSession, place: Place, row: Row[Any], now: datetime
    ) -> bool:
        """Whether nobody has read here for days in which the log went on.

        A new follower that has years to catch up with is not left behind.
        """
        first, since = place.batch[0], now - LEFT_BEHIND
        if row.leased_until is None or max(row.leased_until, first.created_at) > since:
            return False
        return await readers.went_on_without(db, place.workspace_id, first, now=now)

    async def _expire(self, db: AsyncSession, place: Place) -> None:
        """Whoever makes it active again lets it begin anew, from where it was."""
        values = {"status": ReaderStatus.EXPIRED, "owner": None, "leased_until": None}
        await readers.store(db, place.workspace_id, place.follower.name, **values)
        self._log.error("follower_expired", **place.said(), since=place.batch[0].created_at)

    def _succeeded(self, place: Place) -> Next:
        if place.given_up:
            self._log.error("follower_passed_event_by", **place.said(), failure=place.error)
        full = len(place.batch) == place.limit
        place.pos = place.batch[-1].pos
        place.limit = min(2 * place.limit, AT_MOST)
        place.tries = 0
        return Next(again=True) if full else Next(self.pace.rest)

    def _failed(self, place: Place, error: Exception) -> Next:
        """Find the bad event by halves; alone, it is tried again later and later."""
        self._log.warning(
            "follower_failed", **place.said(), events=len(place.batch), exc_info=error
        )
        if len(place.batch) > 1:
            place.limit = len(place.batch) // 2
            return Next(again=True)
        event = place.batch[0].id if place.batch else None
        place.tries = place.tries + 1 if place.failing == event else 1
        place.failing, place.error = event, _described(error)
        if place.batch and place.tries >= TRIES:
            return Next(again=True)
        pause = self.pace.pause * 2.0 ** min(place.tries - 1, 30)
        return Next(min(pause, self.pace.lease / 2), again=True)


def _described(error: Exception) -> str:
    """The type of an error and where in the service it came from; its words may be somebody's."""
    frames = traceback.extract_tb(error.__traceback__)
    *_, place = (frame for frame in frames if ROOT in Path(frame.filename).parents)
    where = f"{Path(place.filename).relative_to(ROOT)}:{place.lineno} {place.name}"
    return f"{type(error).__name__} at {where}"[:ERROR_LENGTH]
