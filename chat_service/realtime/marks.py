"""How often the marks of a reader are written. Pure: no I/O, no clock.

Owns that a flood of marks costs one write a second and reader, and that the last one is written.
"""

from dataclasses import dataclass
from typing import Final

from chat_service.schema import Actor
from chat_service.sessions.marks import Mark, Place

SPACING_SECONDS: Final = 1.0

Reader = tuple[Place, Actor]


@dataclass(slots=True)
class _Entry:
    ready_at: float
    waiting: Mark | None


class Pace:
    """The marks that wait to be written. Times are of any clock that never goes back."""

    def __init__(self) -> None:
        self._entries: dict[Reader, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def offer(self, mark: Mark, *, now: float) -> None:
        """Let a mark wait for its write, merged with what waits of the same reader."""
        entry = self._entries.setdefault((mark.place, mark.actor), _Entry(now, None))
        entry.waiting = mark if entry.waiting is None else entry.waiting.merged(mark)

    def due(self, *, now: float) -> list[Mark]:
        """What is to be written now. Who has had his second and nothing waiting is forgotten."""
        marks: list[Mark] = []
        for reader, entry in list(self._entries.items()):
            if entry.ready_at > now:
                continue
            if entry.waiting is None:
                del self._entries[reader]
            else:
                marks.append(entry.waiting)
                self._entries[reader] = _Entry(now + SPACING_SECONDS, None)
        return marks

    def next_due(self) -> float | None:
        """When to ask again."""
        return min((entry.ready_at for entry in self._entries.values()), default=None)

    def rest(self) -> list[Mark]:
        """All that waits, whenever it would be due."""
        return [entry.waiting for entry in self._entries.values() if entry.waiting is not None]
