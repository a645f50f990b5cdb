"""What a run leaves behind: what clients noted, and the rows that are stored.

Owns the shapes the checks of `history` work on; leaves reading the rows to `stored`. Times are
seconds of one monotonic clock of the test.
"""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Key = tuple[UUID, str | None, str | None]
"""Session, author slot, `client_message_id`: what makes a message the same message."""
Entry = tuple[int, UUID]
"""The number and the id of a message or event, as somebody was shown it."""
Viewer = Literal["customer", "staff"]


@dataclass(frozen=True)
class Send:
    """One attempt to send a message; a repeat is another one with the same key.

    `ended` is when the acknowledgement came, None without one. The numbers and the id are what it
    said: customers are told no `seq`, and a note has no `public_seq`.
    """

    session_id: UUID
    author_slot: str
    client_message_id: str
    began: float
    ended: float | None = None
    seq: int | None = None
    public_seq: int | None = None
    message_id: UUID | None = None

    @property
    def key(self) -> Key:
        """What the sender knows the message by."""
        return self.session_id, self.author_slot, self.client_message_id


@dataclass(frozen=True)
class Claim:
    """An acknowledged claim or assignment: it was said that `agent_id` holds the session."""

    session_id: UUID
    agent_id: UUID


@dataclass(frozen=True)
class Page:
    """One answer about one session, in the numbering of its reader.

    `as_of` is the newest number it promises to know, None if it promises none (a page of events
    that was cut). `raw` is the answer as it came, headers and body; only customers' are looked at.
    """

    session_id: UUID
    viewer: Viewer
    of: Literal["session", "messages", "events"]
    began: float
    ended: float
    as_of: int | None
    shown: tuple[Entry, ...] = ()
    raw: str = ""


@dataclass(frozen=True)
class Stretch:
    """What a subscriber of a session was told over one connection, in the order it was told.

    `after` is the number it goes on behind. With `resumed` it was told everything up to there
    before, or began at the beginning; without, it began anew with the state of that number. `raw` is
    all that came, as of a page.
    """

    subscriber: str
    session_id: UUID
    viewer: Viewer
    after: int
    told: tuple[Entry, ...] = ()
    resumed: bool = True
    raw: str = ""

    @property
    def as_of(self) -> int:
        """The newest number it knows."""
        return self.after + len(self.told)


@dataclass(frozen=True)
class StoredMessage:
    """A row of `chat_messages`. Messages of the system have neither slot nor client's id."""

    session_id: UUID
    id: UUID
    seq: int
    public_seq: int | None
    author_slot: str | None
    client_message_id: str | None

    @property
    def key(self) -> Key:
        """What the sender knows the message by."""
        return self.session_id, self.author_slot, self.client_message_id


@dataclass(frozen=True)
class StoredEvent:
    """A row of `chat_events`; `assignee` is who held the session before and after, if it tells."""

    workspace_id: UUID
    session_id: UUID | None
    pos: int
    seq: int | None
    public_seq: int | None
    audience: str
    id: UUID
    type: str
    message_id: UUID | None = None
    assignee: tuple[UUID | None, UUID | None] | None = None


@dataclass(frozen=True)
class StoredSession:
    """A row of `chat_sessions`."""

    id: UUID
    customer_id: UUID
    client_session_id: str
    status: str
    assignee_id: UUID | None
    last_seq: int
    last_public_seq: int


@dataclass(frozen=True)
class History:
    """What clients saw during a run, and what is stored after it."""

    sends: tuple[Send, ...] = ()
    claims: tuple[Claim, ...] = ()
    pages: tuple[Page, ...] = ()
    stretches: tuple[Stretch, ...] = ()
    messages: tuple[StoredMessage, ...] = ()
    events: tuple[StoredEvent, ...] = ()
    sessions: tuple[StoredSession, ...] = ()

    def logs(self) -> dict[UUID, list[StoredEvent]]:
        """The log of each session, by `seq`; events of the workspace belong to none."""
        logs: dict[UUID, list[StoredEvent]] = {}
        numbered = [event for event in self.events if event.seq is not None]
        for event in sorted(numbered, key=lambda event: event.seq or 0):
            if event.session_id is not None:
                logs.setdefault(event.session_id, []).append(event)
        return logs


def number_for(viewer: Viewer, row: StoredMessage | StoredEvent) -> int | None:
    """The number under which a viewer is shown a row; None if it is not for his eyes."""
    return row.public_seq if viewer == "customer" else row.seq
