"""Who is connected, here and elsewhere. Pure: no I/O, no clock.

Owns how long somebody is still seen after the last connection, so that a reload is not, and how
long what another process said is believed.
"""

from collections.abc import Collection
from typing import Final

from chat_service.schema import Actor, AuthorType, WorkspaceId

ANNOUNCE_SECONDS: Final = 20.0
"""How often a process says again which customers are here."""
BELIEVED_SECONDS: Final = 45.0
"""How long it is believed: two announcements may be lost."""

Who = tuple[WorkspaceId, Actor]


class Attendance:
    """Who is connected to this process, and for a while who was. Any clock that never goes back."""

    def __init__(self, grace: float) -> None:
        """`grace` is how many seconds somebody is still here after the last connection."""
        self._grace = grace
        self._connections: dict[Who, int] = {}
        # In the order in which they end: the grace is the same for all.
        self._leaving: dict[Who, float] = {}

    def __contains__(self, who: Who) -> bool:
        return who in self._connections or who in self._leaving

    def enter(self, who: Who) -> bool:
        """A connection more; whether this brought somebody who was not here."""
        is_new = who not in self
        self._leaving.pop(who, None)
        self._connections[who] = self._connections.get(who, 0) + 1
        return is_new

    def leave(self, who: Who, *, now: float) -> None:
        """A connection less."""
        count = self._connections.pop(who) - 1
        if count:
            self._connections[who] = count
        else:
            self._leaving[who] = now + self._grace

    def expire(self, *, now: float) -> list[Who]:
        """Who is gone, and was not told of before."""
        gone = [who for who, until in self._leaving.items() if until <= now]
        for who in gone:
            del self._leaving[who]
        return gone

    def next_due(self) -> float | None:
        """When the next one is gone."""
        return next(iter(self._leaving.values()), None)

    def all_of(self, kind: AuthorType) -> list[Who]:
        """Everybody of a kind who is here."""
        return [who for who in (*self._connections, *self._leaving) if who[1].type is kind]


class Elsewhere:
    """Who is connected to other processes, as far as these said so lately."""

    def __init__(self) -> None:
        self._until: dict[Who, float] = {}

    def __contains__(self, who: Who) -> bool:
        return who in self._until

    def hear(self, who: Who, *, now: float) -> bool:
        """Another process has somebody; whether that is news."""
        is_new = self._until.pop(who, None) is None
        self._until[who] = now + BELIEVED_SECONDS
        return is_new

    def gone(self, who: Who) -> bool:
        """Another process lost somebody; whether that is news."""
        return self._until.pop(who, None) is not None

    def expire(self, *, now: float) -> list[Who]:
        """Who was not heard of again."""
        gone = [who for who, until in self._until.items() if until <= now]
        for who in gone:
            del self._until[who]
        return gone

    def keep(self, wanted: Collection[Who]) -> None:
        """Forget everybody else."""
        self._until = {who: until for who, until in self._until.items() if who in wanted}
