"""What the live reader keeps of a session while somebody listens: its head, its last events.

Owns the bounds of that memory; leaves what is put in, and when, to `events.pump`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from chat_service.events.source import Item, Row, moment
from chat_service.schema import fence

RING_EVENTS: Final = 64
RING_BYTES: Final = 256 * 1024

Place = tuple[int, str | None]
"""Number and fence of an event; 0 and None before the first."""
START: Final[Place] = (0, None)


class Ring:
    """The last rendered events of one session for one side, without holes."""

    __slots__ = ("_items", "_size", "_before")

    def __init__(self) -> None:
        # A list, for most who listen wait: an empty one is a tenth of an empty deque.
        self._items: list[Item] = []
        self._size = 0
        self._before = START
        """The event in front of the first one, as far as it is known."""

    def rows(self) -> Iterator[Row]:
        """The rows it holds, in order."""
        return (item.row for item in self._items)

    def append(self, item: Item, before: Place = START) -> None:
        """Put in an event; one that does not follow the last one begins anew, after `before`."""
        if self._items and item.number != self._items[-1].number + 1:
            self.clear()
        if not self._items:
            self._before = before
        self._items.append(item)
        self._size += len(item.event)
        while len(self._items) > RING_EVENTS or (self._size > RING_BYTES and len(self._items) > 1):
            first = self._items.pop(0)
            self._before = first.number, first.fence
            self._size -= len(first.event)

    def replace(self, rendered: Callable[[Row], Item | None]) -> None:
        """Put events rendered again in the place of all; where one is missing none is kept."""
        before, fresh = self._before, [rendered(row) for row in self.rows()]
        self.clear()
        for item in fresh:
            if item is None:
                return self.clear()
            self.append(item, before)

    def clear(self) -> None:
        """Forget all."""
        self._items.clear()
        self._size = 0

    def after(self, place: Place) -> Sequence[Item]:
        """The events behind a place.

        Empty where the ring does not know that event, or no later one: the database then knows.
        """
        if not self._items:
            return ()
        index = place[0] + 1 - self._items[0].number
        if not 0 <= index < len(self._items):
            return ()
        here = self._items[index - 1] if index else None
        if place != (self._before if here is None else (here.number, here.fence)):
            return ()
        return tuple(self._items[index:])


class Listener(Protocol):
    """One who follows a session: the row it stands on, and how it is told.

    `pos` and `fence` are those of the last row it was given, 0 and None before the first.
    """

    pos: int
    fence: str | None

    def wake(self) -> None:
        """There may be something to pull."""

    def rewound(self) -> None:
        """What it was given may be gone from the log."""


class Entry:
    """A session for one side, for as long as somebody listens."""

    __slots__ = ("head", "last", "ring", "listeners", "_begun", "_begun_at")

    def __init__(self) -> None:
        self.head = 0
        self.last = START
        """The last row that the feed came to; the head may be beyond it."""
        self._begun, self._begun_at = START, 0
        self.ring = Ring()
        self.listeners: dict[Listener, None] = {}

    def begin(self, place: Place) -> None:
        """Note a row that a listener has just read: what follows it needs no query of his."""
        if place[0] > self._begun[0]:
            self._begun, self._begun_at = place, moment()

    def take(self, number: int, row: Row, item: Item | None, *, asked: int) -> None:
        """Note a row that the feed came to, and asked for at that moment.

        Without its event the ring begins anew after it.
        """
        before = self._before(number, asked)
        self.head = max(self.head, number)
        self.last = (number, fence(row.id))
        if item is None:
            self.ring.clear()
        else:
            self.ring.append(item, before)

    def _before(self, number: int, asked: int) -> Place:
        """What is known to stand before a number.

        What a listener has read stands there for sure if the feed has asked later than he: an older
        answer may be of a line of the log that was left meanwhile.
        """
        follows = self._begun[0] == number - 1 and self._begun_at < asked
        return self._begun if follows else self.last

    def wake(self) -> None:
        """Tell all who listen."""
        for listener in tuple(self.listeners):
            listener.wake()
