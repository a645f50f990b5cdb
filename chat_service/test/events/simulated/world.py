"""The log of one workspace, as a list that can be rewound.

Every event knows which one stood before it in each numbering when it was written, so a reader that
mixes two states of the log is found at the first event.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final
from uuid import UUID

from chat_service.events.feed import Head, Item, Side
from chat_service.schema import Audience, SessionId, WorkspaceId, fence

WORKSPACE: Final = WorkspaceId(UUID(int=1))


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """A row of the log. `before` holds the id of the event before it, by side; None at the first."""

    pos: int
    id: UUID
    session_id: UUID
    audience: Audience
    seq: int
    public_seq: int | None
    type: str
    message_id: UUID
    before: Mapping[Side, UUID | None]

    def number(self, side: Side) -> int:
        """Its number for a side that sees it."""
        return self.seq if side is Side.STAFF else self.public_seq or 0


class World:
    """One workspace with its sessions."""

    def __init__(self, random: Random, *, sessions: int = 3) -> None:
        self.log: list[Event] = []
        self.sessions = [SessionId(UUID(int=2 + number)) for number in range(sessions)]
        self.versions: Counter[UUID] = Counter()
        """How often each message was written."""
        self.padding = 0
        """Bytes that a message is longer."""
        self._random = random
        self._views: dict[tuple[UUID, Side], list[Event]] = {}

    def view(self, session_id: UUID, side: Side) -> list[Event]:
        """The events of a session that a side sees."""
        return self._views.setdefault((session_id, side), [])

    def write(
        self, session_id: SessionId, *, internal: bool = False, change: Event | None = None
    ) -> Event:
        """Commit one event: a new message, or a change of the one in another event."""
        sides = (Side.STAFF,) if internal else tuple(Side)
        views = {side: self.view(session_id, side) for side in sides}
        event = Event(
            pos=len(self.log) + 1,
            id=self._new_id(),
            session_id=session_id,
            audience=Audience.INTERNAL if internal else Audience.PUBLIC,
            seq=len(self.view(session_id, Side.STAFF)) + 1,
            public_seq=None if internal else self.next_public_seq(session_id),
            type="message.updated" if change else "message.created",
            message_id=change.message_id if change else self._new_id(),
            before={side: view[-1].id if view else None for side, view in views.items()},
        )
        self._put(event)
        return event

    def next_public_seq(self, session_id: SessionId) -> int:
        """The number of the customer's next event."""
        return len(self.view(session_id, Side.CUSTOMER)) + 1

    def rewind(self, count: int) -> None:
        """Restore an older state of the log: its last `count` events never happened."""
        kept = self.log[: len(self.log) - count]
        self.log, self._views, self.versions = [], {}, Counter()
        for event in kept:
            self._put(event)

    def remove(self, session_id: SessionId, count: int) -> None:
        """Let retention take the oldest events of a session."""
        for side in Side:
            del self.view(session_id, side)[:count]

    def head(self) -> tuple[int, UUID | None]:
        """Where the log ends."""
        return (self.log[-1].pos, self.log[-1].id) if self.log else (0, None)

    def rows(self, start: int, limit: int) -> Sequence[Event]:
        """Rows from a `pos` on."""
        first = max(start, 1) - 1
        return self.log[first : first + limit]

    def items(
        self, session_id: UUID, side: Side, *, start: int, upto: int, limit: int
    ) -> Sequence[Item]:
        """Rendered events by the numbers of a side."""
        rows = self.view(session_id, side)
        found = [row for row in rows if start <= row.number(side) <= upto]
        return [self.render(row, side) for row in found[:limit]]

    def session_head(self, session_id: UUID, side: Side, position: int) -> Head:
        """Where a session ends, and what stands at a position."""
        rows = self.view(session_id, side)
        at = next((row for row in rows if row.number(side) == position), None)
        return Head(
            number=rows[-1].number(side) if rows else 0,
            fence=fence(at.id) if at else None,
            follows=any(row.number(side) == position + 1 for row in rows),
            pos=at.pos if at else 0,
        )

    def render(self, event: Event, side: Side) -> Item:
        """What a side sees of an event, with the message as it is now."""
        version = self.versions[event.message_id]
        text = f"{event.message_id.hex} {version}".encode() + b" " * self.padding
        return Item(event.number(side), fence(event.id), text, event)

    def _put(self, event: Event) -> None:
        self.log.append(event)
        self.versions[event.message_id] += 1
        for side in event.before:
            self.view(event.session_id, side).append(event)

    def _new_id(self) -> UUID:
        return UUID(int=self._random.getrandbits(128))
