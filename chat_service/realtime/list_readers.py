"""Who follows the lists of a workspace, found by whom a change concerns; and what was heard of it.

Pure: neither grows with the number of rows, only with the sessions and readers they concern.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, cast
from uuid import UUID

from chat_service.events.feed import Reset, Row
from chat_service.realtime.session_list import COUNTS_SECONDS, Entry, id_of
from chat_service.schema import Cursor, View
from chat_service.sessions.reach import Counts, Reach

Mark = tuple[str, UUID | None]
"""`holder` or `team`, and which one; None for nobody, and for no team."""
WHOEVER: Final[Mark] = ("whoever", None)
FOUND_BY: Final = (("assignee", "holder"), ("team_id", "team"))
"""Fields of a change, and the mark that each is."""


class Reader(Protocol):
    """Who follows a view."""

    @property
    def reach(self) -> Reach: ...

    @property
    def counted(self) -> Mapping[View, Reach]:
        """The views whose sizes it shows."""

    @property
    def lacks(self) -> int:
        """How many of the first of its view it wants to see; 0 for none."""

    def is_due(self, now: float) -> bool:
        """Whether it may be told something."""

    def are_counts_due(self, now: float) -> bool:
        """Whether it may be told counts."""

    def take(self, entries: Sequence[Entry], mark: Cursor) -> None:
        """What changed up to `mark`, as far as it may concern the reader."""

    def fill(self, entries: Sequence[Entry]) -> None:
        """The first of its view."""

    def count(self, counts: Counts) -> bool:
        """New counts; tells whether they are news."""

    def wake(self) -> None:
        """There may be something to tell."""

    def lose(self, reason: Reset) -> None:
        """What it was told may be wrong: it has to begin anew."""


class Readers:
    """The readers of a workspace."""

    def __init__(self) -> None:
        self._all: dict[Reader, None] = {}
        self._by_mark: dict[Mark, dict[Reader, None]] = {}

    def __bool__(self) -> bool:
        return bool(self._all)

    def __iter__(self) -> Iterator[Reader]:
        return iter(tuple(self._all))

    def add(self, reader: Reader) -> None:
        """Somebody begins to follow."""
        self._all[reader] = None
        for mark in _marks(reader.reach):
            self._by_mark.setdefault(mark, {})[reader] = None

    def remove(self, reader: Reader) -> None:
        """Somebody follows no more."""
        self._all.pop(reader, None)
        for mark in _marks(reader.reach):
            those = self._by_mark.get(mark, {})
            those.pop(reader, None)
            if not those:
                self._by_mark.pop(mark, None)

    def concerned(self, marks: Iterable[Mark]) -> Iterator[Reader]:
        """Whom a change concerns of a session that has or had these marks; some are named twice."""
        yield from self._by_mark.get(WHOEVER, ())
        for mark in marks:
            yield from self._by_mark.get(mark, ())


def marks_of(entry: Entry) -> set[Mark]:
    """By what a session is found: who holds it, and its team."""
    return {("holder", entry.assignee_id), ("team", entry.team_id)}


def _marks(reach: Reach) -> Sequence[Mark]:
    if reach.holders is None:
        return (WHOEVER,)
    holders: list[Mark] = [("holder", holder) for holder in reach.holders]
    return [*holders, *(("team", team) for team in reach.teams)]


class Heard:
    """The sessions that changed and are not read yet."""

    def __init__(self) -> None:
        self._changed: dict[UUID, int] = {}
        self._left: dict[UUID, set[Mark]] = {}

    def __len__(self) -> int:
        return len(self._changed)

    def ids(self) -> tuple[UUID, ...]:
        """Which they are."""
        return tuple(self._changed)

    def pos(self, session_id: UUID) -> int:
        """Where a session changed last."""
        return self._changed[session_id]

    def left(self, session_id: UUID) -> set[Mark]:
        """Whom, and which teams, it was taken from meanwhile."""
        return self._left.get(session_id, set())

    def note(self, row: Row) -> None:
        """A row of the log."""
        if row.session_id is None:
            return
        self._changed[row.session_id] = row.pos
        changes = cast(Any, row).data.get("changes", {})
        for field, kind in FOUND_BY:
            if field in changes:
                mark = (kind, id_of(changes[field][0]))
                self._left.setdefault(row.session_id, set()).add(mark)

    def add(self, later: "Heard") -> None:
        """What was heard after it."""
        self._changed.update(later._changed)
        for session_id, marks in later._left.items():
            self._left.setdefault(session_id, set()).update(marks)


class Counting:
    """When the sizes of the views were counted last, and who is still to be told."""

    def __init__(self) -> None:
        self.old = False
        """Whether they may have changed since."""
        self.news: dict[Reader, None] = {}
        self._next = -math.inf

    @property
    def waited_for(self) -> bool:
        """Whether time alone will bring something."""
        return self.old or bool(self.news)

    def begin(self, now: float) -> bool:
        """Whether to count now; it counts as done."""
        if not self.old or now < self._next:
            return False
        self.old, self._next = False, now + COUNTS_SECONDS
        return True

    def due(self, now: float) -> set[Reader]:
        """Who may be told now, once."""
        due = {reader for reader in self.news if reader.are_counts_due(now)}
        for reader in due:
            del self.news[reader]
        return due
