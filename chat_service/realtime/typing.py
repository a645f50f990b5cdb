"""Who types where. Pure: no I/O, no clock.

Owns when others are told, that a sign of typing ends by itself, and its envelope. It is never
stored, and the first thing that is dropped where there is too much of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from chat_service.schema import Actor, Visibility, new_id
from chat_service.sessions.marks import Place
from chat_service.transport import rfc3339

AT_MOST: Final = 10_000
"""So many signs are kept at once; beyond, nobody is seen to begin."""
REPEATS: Final = 3
"""While somebody types, others are told so often within the life of a sign, and no more often."""

Kind = Literal["typing.started", "typing.stopped"]


@dataclass(frozen=True, slots=True)
class Sign:
    """That somebody types or does not, for those who may know: `visibility` tells who they are."""

    place: Place
    actor: Actor
    kind: Kind
    visibility: Visibility


@dataclass(slots=True)
class _Entry:
    visibility: Visibility
    until: float
    told_at: float


class Typists:
    """The signs of typing that hold. Times are of any clock that never goes back."""

    def __init__(self, seconds: float) -> None:
        """`seconds` is how long a sign lives that is not renewed."""
        self._seconds = seconds
        # In the order in which they end: all live equally long.
        self._entries: dict[tuple[Place, Actor], _Entry] = {}

    def start(
        self, place: Place, actor: Actor, visibility: Visibility, *, now: float
    ) -> list[Sign]:
        """Somebody types, or still does: what others are to be told."""
        before = self._entries.pop((place, actor), None)
        if before is None and len(self._entries) >= AT_MOST:
            return []
        same = before is not None and before.visibility is visibility
        fresh = before is not None and now - before.told_at < self._seconds / REPEATS
        told_at = before.told_at if before is not None and same and fresh else now
        self._entries[place, actor] = _Entry(visibility, now + self._seconds, told_at)
        if same and fresh:
            return []
        signs = [Sign(place, actor, "typing.started", visibility)]
        if before is not None and before.visibility is Visibility.PUBLIC and not same:
            signs.insert(0, Sign(place, actor, "typing.stopped", Visibility.PUBLIC))
        return signs

    def stop(self, place: Place, actor: Actor) -> list[Sign]:
        """Somebody has stopped or sent: what others are to be told."""
        before = self._entries.pop((place, actor), None)
        if before is None:
            return []
        return [Sign(place, actor, "typing.stopped", before.visibility)]

    def expire(self, *, now: float) -> list[Sign]:
        """End the signs that were not renewed."""
        ended = [key for key, entry in self._until(now)]
        return [sign for key in ended for sign in self.stop(*key)]

    def next_due(self) -> float | None:
        """When the next sign ends."""
        return next((entry.until for entry in self._entries.values()), None)

    def at(self, place: Place, *, now: float) -> list[Sign]:
        """Who types in a session."""
        return [
            Sign(place, actor, "typing.started", entry.visibility)
            for (where, actor), entry in self._entries.items()
            if where == place and now < entry.until
        ]

    def _until(self, now: float) -> Iterator[tuple[tuple[Place, Actor], _Entry]]:
        for key, entry in list(self._entries.items()):
            if entry.until > now:
                return
            yield key, entry


def frame_of(sign: Sign, *, at: datetime) -> dict[str, Any]:
    """A sign as a frame: an envelope that has no number and no cursor."""
    workspace_id, session_id = sign.place
    return {
        "op": "ephemeral",
        "id": str(new_id()),
        "type": sign.kind,
        "timestamp": rfc3339(at),
        "workspace_id": str(workspace_id),
        "session_id": str(session_id),
        "stream": f"session:{session_id}",
        "actor": shown(sign.actor),
        "data": {"visibility": sign.visibility},
        "schema": 1,
    }


def shown(actor: Actor) -> dict[str, Any]:
    """An actor as JSON."""
    return {"type": actor.type, "id": str(actor.id)}
