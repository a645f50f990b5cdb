"""What the live reader reads, and from where: rows, events as a side sees them, the source.

Owns the words between `events.feed` and whoever reads the database for it; knows no database.
"""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID

from chat_service.schema import Audience, SessionId, WorkspaceId


class Side(StrEnum):
    """Whose numbering a session is read by: `seq` for staff, `public_seq` for the customer."""

    STAFF = "staff"
    CUSTOMER = "customer"


class Row(Protocol):
    """A row of the log."""

    @property
    def pos(self) -> int: ...
    @property
    def id(self) -> UUID: ...
    @property
    def session_id(self) -> UUID | None: ...
    @property
    def audience(self) -> Audience: ...
    @property
    def seq(self) -> int | None: ...
    @property
    def public_seq(self) -> int | None: ...
    @property
    def type(self) -> str: ...
    @property
    def message_id(self) -> UUID | None: ...


def number_of(row: Row, side: Side) -> int | None:
    """The number of a row as a side counts; None for what that side may not see."""
    return row.seq if side is Side.STAFF else row.public_seq


@dataclass(frozen=True, slots=True)
class Item:
    """One event as one side sees it: `event` is the envelope as JSON, serialised once."""

    number: int
    fence: str
    event: bytes
    row: Row


@dataclass(frozen=True, slots=True)
class Head:
    """What a reader must know of a session to begin at a position, of one moment.

    `number` is the head of the session, `fence` and `pos` are those of the row at the position
    (None and 0 where there is no such row), and `follows` tells whether the row right after the
    position is there, where the position is below the head.
    """

    number: int
    fence: str | None
    follows: bool
    pos: int


moment: Final = itertools.count(1).__next__
"""A clock of this process that tells nothing but an order: no two moments are the same."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What one commit of this process has added to the log of a workspace.

    The rows were written after the event `before`, if any, and not earlier than at `moment`.
    """

    workspace_id: WorkspaceId
    before: UUID | None
    rows: Sequence[Row]
    moment: int

    @property
    def pos(self) -> int:
        """Where the log ended then."""
        return self.rows[-1].pos


class Source(Protocol):
    """Everything that touches the database. Whatever it raises is tried again; it must not hang.

    Its answers may come late, but each is of one moment: rows of two states are never mixed. What
    `render` shows rows with may be newer than these, and by a moment than each other.
    """

    async def head(self, workspace_id: WorkspaceId) -> tuple[int, UUID | None]:
        """Where the log of a workspace ends: `pos` and id of its last row, or 0 and None."""

    async def heads(
        self, workspace_ids: Collection[WorkspaceId]
    ) -> Mapping[WorkspaceId, tuple[int, UUID | None]]:
        """The same of many workspaces, in one query; without those that have no log."""

    async def read_feed(
        self, workspace_id: WorkspaceId, *, start: int, limit: int
    ) -> Sequence[Row]:
        """The rows from `pos` `start` on, in order."""

    async def read_session(
        self,
        workspace_id: WorkspaceId,
        session_id: SessionId,
        side: Side,
        *,
        start: int,
        upto: int,
        limit: int,
    ) -> Sequence[Item]:
        """The events with numbers from `start` to `upto`, in order, rendered."""

    async def session_head(
        self, workspace_id: WorkspaceId, session_id: SessionId, side: Side, position: int
    ) -> Head:
        """What begins at a position; see Head."""

    async def render(
        self, workspace_id: WorkspaceId, wanted: Mapping[Side, Sequence[Row]]
    ) -> Mapping[Side, Sequence[Item]]:
        """The events of rows, by the side that is to see them and may; all resources read once."""
