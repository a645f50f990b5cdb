"""What waits to be told beside the log: of each kind and actor the newest alone. Pure: no clock.

So a reader that is slow, or busy with events, costs no memory and is told what holds now.
"""

from dataclasses import dataclass, field
from typing import Any

import orjson

from chat_service.schema import SessionId


@dataclass(frozen=True, slots=True)
class Told:
    """A frame that is not in the log, serialised once for all who are told of it.

    Of one `kind`, `actor` and session the newest replaces what waits. Without a session it concerns
    the whole workspace. From `until` on, a time of the loop, it is not worth telling.
    """

    session_id: SessionId | None
    kind: str
    actor: str
    op: str
    data: bytes
    until: float | None = None


def told(
    frame: dict[str, Any],
    session_id: SessionId | None,
    *,
    kind: str,
    actor: str = "",
    until: float | None = None,
) -> Told:
    """A frame to be told."""
    return Told(session_id, kind, actor, str(frame["op"]), orjson.dumps(frame), until)


@dataclass(slots=True)
class Slots:
    """The waiting frames of one connection. Times are of any clock that never goes back."""

    _waiting: dict[tuple[SessionId | None, str, str], Told] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, frame: Told) -> None:
        """Let a frame wait, in the place of an older one of its slot."""
        self._waiting[frame.session_id, frame.kind, frame.actor] = frame

    def take(self, *, now: float) -> list[Told]:
        """All that waits and still holds; nothing waits any more."""
        waiting, self._waiting = self._waiting, {}
        return [each for each in waiting.values() if each.until is None or now < each.until]

    def drop(self, session_id: SessionId) -> None:
        """Tell nothing more of a session."""
        for key in [key for key in self._waiting if key[0] == session_id]:
            del self._waiting[key]
