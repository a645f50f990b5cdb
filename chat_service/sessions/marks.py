"""How far somebody has read: watermarks in both numberings. Pure: values in, values out.

Leaves the rows to `participants`, and how they are shown to `read_states`.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from chat_service.schema import Actor, SessionId, WorkspaceId

Place = tuple[WorkspaceId, SessionId]
"""A session and whose it is."""


class Point(NamedTuple):
    """A place in a session's log as staff count and as customers do."""

    seq: int
    public_seq: int

    def highest(self, other: "Point") -> "Point":
        """The further of two, each number by itself."""
        return Point(max(self.seq, other.seq), max(self.public_seq, other.public_seq))


@dataclass(frozen=True, slots=True)
class Mark:
    """An actor has read a session up to `read` and was reached up to `delivered`.

    What customers may know of it is `public_seq`: a note its writer wrote moves `seq` alone.
    """

    workspace_id: WorkspaceId
    session_id: SessionId
    actor: Actor
    read: Point
    delivered: Point

    @property
    def place(self) -> Place:
        """Where it was read."""
        return self.workspace_id, self.session_id

    def merged(self, other: "Mark") -> "Mark":
        """The highest of two marks of one actor: in any order, and as often as one likes."""
        return replace(
            self,
            read=self.read.highest(other.read),
            delivered=self.delivered.highest(other.delivered),
        )
