"""The agents' list as one reader sees it: what it was told, what it is told next, and how often.

Pure: no I/O, no clock. Times are seconds of any clock that never goes back, handed in by who asks.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from chat_service.events.feed import Reset
from chat_service.schema import Cursor, Status, View
from chat_service.sessions.reach import Counts, Reach

FRAME_SECONDS: Final = 1.0
"""Between two frames of one reader."""
COUNTS_SECONDS: Final = 2.0
SILENT_ROWS: Final = 1_000
"""After so many rows that did not concern it a reader is told how far the log has come."""
SHOWN_BYTES: Final = 48_000
REMOVED_AT_MOST: Final = 300
"""What one frame holds of both; together with the rest of it that is less than 64 KiB."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A session as the list shows it: `view` is its staff form as JSON, serialised once."""

    id: UUID
    version: int
    assignee_id: UUID | None
    team_id: UUID | None
    status: Status
    moved_at: datetime
    view: bytes

    @property
    def place(self) -> tuple[datetime, UUID]:
        """Where it stands in the order of a view; the highest comes first."""
        return self.moved_at, self.id


@dataclass(frozen=True, slots=True)
class Start:
    """What a reader begins with: the first of its view, and what changed behind its cursor.

    `known` are those of the first that it has already; `removed` those it may have and has no more.
    """

    first: Sequence[Entry]
    known: Collection[UUID]
    removed: Sequence[UUID]
    counts: Counts


class Journal:
    """The sessions that changed lately, each at its last change in the log."""

    def __init__(self) -> None:
        self._changed: OrderedDict[UUID, tuple[int, Entry]] = OrderedDict()

    def put(self, entry: Entry, pos: int) -> None:
        """Note a change; they come in the order of the log."""
        self._changed[entry.id] = pos, entry
        self._changed.move_to_end(entry.id)

    def since(self, pos: int) -> list[Entry]:
        """What changed behind a position, the last change first."""
        found = []
        for at, entry in reversed(self._changed.values()):
            if at <= pos:
                break
            found.append(entry)
        return found

    def forget(self, upto: int) -> None:
        """Nobody will ask for what changed up to there."""
        while self._changed and next(iter(self._changed.values()))[0] <= upto:
            self._changed.popitem(last=False)


class Window:
    """The sessions of one reader: the first `size` of a view, and in which version it knows them."""

    def __init__(self, reach: Reach, size: int) -> None:
        self.reach = reach
        self.size = size
        self.lacks = False
        """Whether sessions that were never looked at may have moved up into it."""
        self._first: dict[UUID, Entry] = {}
        self._told: dict[UUID, int] = {}

    def begin(self, entries: Iterable[Entry], *, known: Iterable[UUID]) -> None:
        """Take the first of the view as they are; the reader has those that are `known`."""
        self.fill(entries)
        self._told = {one: self._first[one].version for one in known if one in self._first}

    def put(self, entry: Entry) -> None:
        """Take a session as it is now, wherever it stood."""
        known = self._first.get(entry.id)
        if known is not None and known.version > entry.version:
            return
        full = len(self._first) >= self.size
        if self.reach.has(entry.assignee_id, entry.team_id, entry.status):
            self._first[entry.id] = entry
            sank = known is not None and entry.place < known.place
            self.lacks = self.lacks or (sank and full)
        elif known is not None:
            del self._first[entry.id]
            self.lacks = self.lacks or full

    def fill(self, entries: Iterable[Entry]) -> None:
        """Take the first of the view as just read: nothing is lacking any more."""
        for entry in entries:
            self.put(entry)
        self.cut()
        self.lacks = False

    @property
    def has_news(self) -> bool:
        """Whether there is anything to tell."""
        known = self._told
        return len(known) != len(self._first) or any(
            known.get(one.id) != one.version for one in self._first.values()
        )

    def cut(self) -> None:
        """Keep those that come first."""
        if len(self._first) > self.size:
            ordered = sorted(self._first.values(), key=lambda entry: entry.place, reverse=True)
            self._first = {entry.id: entry for entry in ordered[: self.size]}

    def tell(self) -> tuple[list[Entry], list[UUID]]:
        """What the reader does not know yet, and which it knows that are there no more."""
        changed = [one for one in self._first.values() if self._told.get(one.id) != one.version]
        removed = [one for one in self._told if one not in self._first]
        self._told = {one.id: one.version for one in self._first.values()}
        return changed, removed


class ListReader:
    """What one connection is told of its view, and when; `wake` is called when that may be."""

    def __init__(
        self,
        reach: Reach,
        counted: Mapping[View, Reach],
        *,
        size: int,
        wake: Callable[[], None],
    ) -> None:
        self.reach = reach
        self.counted = counted
        self.wake = wake
        self.lost: Reset | None = None
        """Why it has to begin anew, if it has to."""
        self._window = Window(reach, size)
        self._due = math.inf
        self._counts_due = -math.inf
        self._counts: dict[View, int] | None = None
        self._counts_told: dict[View, int] | None = None
        self._mark: Cursor | None = None
        self._told_pos = 0

    def begin(self, start: Start, mark: Cursor, *, after: int, now: float) -> list[bytes]:
        """What is told first; the next change may be told at once.

        The start was read at `mark` or later; the reader has heard of the log up to `after`.
        """
        self._window.begin(start.first, known=start.known)
        self.count(start.counts)
        self._mark, self._told_pos, self._due = mark, after, -math.inf
        frames = self.frames(now, start.removed)
        self._due = -math.inf
        return frames

    @property
    def lacks(self) -> int:
        """How many of the first of its view it wants to see; 0 for none."""
        return self._window.size if self._window.lacks else 0

    @property
    def has_news(self) -> bool:
        """Whether there is anything to tell, as soon as it may be told."""
        return self.lost is None and self._window.has_news

    def is_due(self, now: float) -> bool:
        """Whether it may be told something."""
        return now >= self._due

    def are_counts_due(self, now: float) -> bool:
        """Whether it may be told counts too."""
        return self.is_due(now) and now >= self._counts_due

    def take(self, entries: Iterable[Entry], mark: Cursor) -> None:
        """Take what changed up to `mark`."""
        for entry in entries:
            self._window.put(entry)
        self._window.cut()
        if self._mark is None or mark.position > self._mark.position:
            self._mark = mark

    def fill(self, entries: Iterable[Entry]) -> None:
        """Take the first of the view."""
        self._window.fill(entries)

    def lose(self, reason: Reset) -> None:
        """Tell nothing more: what was told may be wrong."""
        self.lost, self._due = reason, math.inf
        self.wake()

    def count(self, counts: Counts) -> bool:
        """Take new counts; tells whether they are news."""
        self._counts = {view: counts.of(reach) for view, reach in self.counted.items()} or None
        return self._counts != self._counts_told

    def frames(self, now: float, removed: Iterable[UUID] = ()) -> list[bytes]:
        """What is told now, if anything; `removed` are others to be named as removed.

        More than one frame belongs together: the last alone has a cursor.
        """
        if self._mark is None or not self.is_due(now):
            return []
        changed, gone = self._window.tell()
        gone = [*removed, *gone]
        counts = self._counts if self._counts != self._counts_told else None
        if now < self._counts_due:
            counts = None
        silent = self._mark.position - self._told_pos >= SILENT_ROWS
        if not (changed or gone or counts or silent):
            return []
        self._told_pos, self._due = self._mark.position, now + FRAME_SECONDS
        if counts is not None:
            self._counts_told, self._counts_due = counts, now + COUNTS_SECONDS
        return list(_frames(changed, gone, counts, self._mark))


def _frames(
    changed: Sequence[Entry],
    removed: Sequence[UUID],
    counts: Mapping[View, int] | None,
    mark: Cursor,
) -> Iterator[bytes]:
    while True:
        fits = _fitting(changed)
        end = len(changed) == fits and len(removed) <= REMOVED_AT_MOST
        yield b'{"op":"sessions","changed":[%s],"removed":%s,"counts":%s,"cursor":%s}' % (
            b",".join(entry.view for entry in changed[:fits]),
            orjson.dumps([str(one) for one in removed[:REMOVED_AT_MOST]]),
            orjson.dumps(counts if end else None),
            orjson.dumps(str(mark) if end else None),
        )
        changed, removed = changed[fits:], removed[REMOVED_AT_MOST:]
        if end:
            return


def _fitting(changed: Sequence[Entry]) -> int:
    """How many of these one frame holds, but at least one."""
    size = 0
    for count, entry in enumerate(changed):
        size += len(entry.view) + 1
        if count and size > SHOWN_BYTES:
            return count
    return len(changed)


def earlier(
    rows: Sequence[Any], assignee_id: UUID | None, team_id: UUID | None, status: Status
) -> Iterator[tuple[UUID | None, UUID | None, Status]]:
    """How a session stood before each of its rows, from how it stands now; the latest first.

    It is told as `Reach.has` takes it. Before it was created it stood nowhere.
    """
    for row in reversed(rows):
        if row.type == "session.created":
            return
        changes = row.data.get("changes", {})
        if "assignee" in changes:
            assignee_id = id_of(changes["assignee"][0])
        if "team_id" in changes:
            team_id = id_of(changes["team_id"][0])
        if "status" in changes:
            status = Status(changes["status"][0])
        yield assignee_id, team_id, status


def id_of(text: str | None) -> UUID | None:
    """An id as a row of the log has it."""
    return None if text is None else UUID(text)
