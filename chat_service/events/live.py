"""The sessions of a workspace that somebody listens to here, and their events as they come in.

Owns F3 of the delivery algorithm, what is rendered, and that a ring never holds erased text. Knows
no position: which rows come, and whether they are still true, is for `events.pump` to say.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, Final
from uuid import UUID

from chat_service.events.ring import Entry, Listener
from chat_service.events.source import Item, Row, Side, Source, number_of
from chat_service.schema import WorkspaceId

REPLACING: Final = frozenset({"message.updated", "message.deleted"})
"""Events after which no ring may hold what was rendered before them."""
AGAIN_ROWS: Final = 1000
"""So many rows are rendered at once at most for changed messages; the rings of others begin anew."""

Key = tuple[UUID, Side]
Rendered = dict[tuple[Side, int], Item]
"""Events by side and `pos`."""


class Live:
    """An entry for each session and side that has a listener, and for no other."""

    entry_type: ClassVar[type[Entry]] = Entry

    def __init__(self) -> None:
        self._entries: dict[Key, Entry] = {}

    def join(self, key: Key, listener: Listener) -> Entry:
        """Listen to a session."""
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = self.entry_type()
        entry.listeners[listener] = None
        return entry

    def leave(self, key: Key, listener: Listener) -> None:
        """Listen no more; the last one to go takes the entry along."""
        entry = self._entries.get(key)
        if entry is not None:
            entry.listeners.pop(listener, None)
            if not entry.listeners:
                del self._entries[key]

    def drop(self) -> list[Listener]:
        """Forget every entry; tells who listened."""
        entries, self._entries = self._entries, {}
        return [listener for entry in entries.values() for listener in entry.listeners]

    async def render(
        self, source: Source, workspace_id: WorkspaceId, rows: Sequence[Row]
    ) -> Rendered:
        """The events of rows that somebody listens to, and of older ones these replace."""
        wanted = {side: self._wanted(rows, side) for side in Side}
        wanted = {side: some for side, some in wanted.items() if some}
        if not wanted:
            return {}
        found = await source.render(workspace_id, wanted)
        return {(side, item.row.pos): item for side in wanted for item in found[side]}

    def take(self, rows: Sequence[Row], rendered: Rendered, *, asked: int) -> None:
        """Put rows, asked for at that moment, into their entries in order; wake who listens there.

        What is not rendered, because its session was joined meanwhile or rendering failed, each
        connection reads for itself.
        """
        touched: dict[Entry, None] = {}
        for side in Side:
            for row, number, entry in self._heard(rows, side):
                if row.type in REPLACING:
                    entry.ring.replace(_of(side, rendered))
                entry.take(number, row, rendered.get((side, row.pos)), asked=asked)
                touched[entry] = None
        for entry in touched:
            entry.wake()

    def _wanted(self, rows: Sequence[Row], side: Side) -> list[Row]:
        wanted: dict[int, Row] = {}
        for row, _, entry in self._heard(rows, side):
            if row.type in REPLACING and len(wanted) < AGAIN_ROWS:
                wanted.update((old.pos, old) for old in entry.ring.rows())
            wanted[row.pos] = row
        return [wanted[pos] for pos in sorted(wanted)]

    def _heard(self, rows: Sequence[Row], side: Side) -> Iterator[tuple[Row, int, Entry]]:
        """The rows that a side sees and somebody listens to, each with its number and entry."""
        for row in rows:
            number = number_of(row, side)
            if number is not None and row.session_id is not None:
                entry = self._entries.get((row.session_id, side))
                if entry is not None:
                    yield row, number, entry


def _of(side: Side, rendered: Rendered) -> Callable[[Row], Item | None]:
    return lambda row: rendered.get((side, row.pos))
