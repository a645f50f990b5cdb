"""Wire models of sessions: for staff, and the allow-list for customers.

The customer's view has no field that moves with an internal event: `version` and `last_seq` are its
last public number, `updated_at` the time of its last public event.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal, Protocol
from uuid import UUID

import regex
from pydantic import Field

from chat_service.schema import AuthorType, Channel, ClosedReason, Priority, Status
from chat_service.sessions.read_states import (
    CustomerReadStates,
    ParticipantReadState,
    for_customer,
    for_staff,
)
from chat_service.transport import (
    Attributes,
    Name,
    Page,
    Request,
    Response,
    Subject,
    Text,
    Time,
    example,
    shown_name,
)

SUMMARY_CHARACTERS: Final = 200
OPEN_FOR_CUSTOMERS: Final = frozenset({Status.PENDING, Status.SNOOZED})


class Viewer(Protocol):
    """What decides which view is shown."""

    @property
    def is_customer(self) -> bool:
        """Whether the public side is shown."""


class AgentRef(Request):
    """An agent of the workspace."""

    type: Literal[AuthorType.AGENT]
    id: UUID


class Assign(Request):
    """Who shall hold the session. With `expected_assignee` it must be held by that agent now.

    `expected_assignee: null` expects that nobody holds it; left out, anybody may.
    """

    model_config = example(
        assignee={"type": "agent", "id": "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10"},
        expected_assignee=None,
    )

    assignee: AgentRef
    expected_assignee: AgentRef | None = None


class Close(Request):
    """Why the chat ends; staff may say `resolved` or `spam`."""

    reason: ClosedReason | None = Field(default=None, examples=["resolved"])


class PatchSession(Request):
    """JSON Merge Patch (RFC 7396): fields that are left out stay; null clears."""

    model_config = example(subject="Late order", priority="high", tags=["order"])

    subject: Subject | None = None
    team_id: UUID | None = None
    priority: Priority | None = None
    tags: list[Name] | None = Field(default=None, max_length=50)
    custom_attributes: Attributes | None = None


class Assignee(Response):
    """Who holds the session."""

    type: AuthorType
    id: UUID
    display_name: str


class Queue(Response):
    """Since when the session waits for an agent."""

    entered_at: Time


class LastMessage(Response):
    """The newest public message, cut to 200 characters; `text` is null once it was deleted."""

    id: UUID
    author_type: AuthorType
    text: str | None
    created_at: Time


class SessionFields(Response):
    """What both sides see of a session."""

    object: str = Field(examples=["session"])
    id: UUID
    workspace_id: UUID
    inbox_id: UUID
    customer_id: UUID
    previous_session_id: UUID | None
    status: Status
    channel: Channel
    subject: str | None
    assignee: Assignee | None
    queue: Queue | None
    last_seq: int
    message_count: int
    last_message: LastMessage | None
    version: int
    created_at: Time
    updated_at: Time
    closed_at: Time | None
    last_activity_at: Time


class CustomerSession(SessionFields):
    """A session as its customer sees it."""

    read_states: CustomerReadStates


class StaffSession(SessionFields):
    """A session as staff see it. `last_seq` counts all events, `last_public_seq` the public ones."""

    read_states: list[ParticipantReadState]
    last_public_seq: int
    team_id: UUID | None
    priority: Priority | None
    tags: list[Text]
    custom_attributes: dict[str, Any]
    closed_reason: ClosedReason | None
    waiting_since: Time | None


class CustomerSummary(Response):
    """What changes of a session with its events, as its customer sees it."""

    id: UUID
    version: int
    status: Status
    assignee: Assignee | None
    message_count: int
    last_message: LastMessage | None
    last_activity_at: Time


class StaffSummary(CustomerSummary):
    """The same as staff see it."""

    waiting_since: Time | None


SummaryView = StaffSummary | CustomerSummary
SessionView = StaffSession | CustomerSession


class SessionResponse(Response):
    """One session."""

    session: SessionView


class SessionPage(Page[SessionView]):
    """A page of sessions; `feed_cursor` is where the workspace's log stood, for staff."""

    feed_cursor: str | None = None


def session_view(viewer: Viewer, row: Any, marks: Sequence[Any]) -> SessionView:
    """Show a row of `queries.summaries`, with its `watermarks.read_marks`, to one side."""
    shared: dict[str, Any] = {
        "object": "session",
        "id": row.id,
        "workspace_id": row.workspace_id,
        "inbox_id": row.inbox_id,
        "customer_id": row.customer_id,
        "previous_session_id": row.previous_session_id,
        "status": row.status,
        "channel": row.channel,
        "subject": row.subject,
        "assignee": _assignee(row),
        "queue": (Queue(entered_at=row.queued_at) if row.status is Status.QUEUED else None),
        "message_count": row.message_count,
        "last_message": _last_message(row),
        "created_at": row.created_at,
        "closed_at": row.closed_at,
        "last_activity_at": row.last_activity_at,
    }
    if viewer.is_customer:
        if row.status in OPEN_FOR_CUSTOMERS:
            shared["status"] = Status.OPEN
        return CustomerSession(
            **shared,
            read_states=for_customer(marks),
            last_seq=row.last_public_seq,
            version=row.last_public_seq,
            updated_at=row.last_activity_at,
        )
    return StaffSession(
        **shared,
        read_states=for_staff(marks),
        last_seq=row.last_seq,
        version=row.version,
        updated_at=row.updated_at,
        last_public_seq=row.last_public_seq,
        team_id=row.team_id,
        priority=row.priority,
        tags=row.tags,
        custom_attributes=row.custom_attributes,
        closed_reason=row.closed_reason,
        waiting_since=row.waiting_since,
    )


def summary_view(viewer: Viewer, row: Any) -> SummaryView:
    """The summary of a session that stands in each of its events."""
    whole = session_view(viewer, row, ())
    kind = CustomerSummary if viewer.is_customer else StaffSummary
    return kind.model_construct(**{name: getattr(whole, name) for name in kind.model_fields})


def session_etag(view: SessionView) -> str:
    """The entity tag of a session, from the version the caller sees."""
    return f'"s{view.version}"'


def _assignee(row: Any) -> Assignee | None:
    if row.assignee_id is None:
        return None
    return Assignee(
        type=AuthorType.AGENT, id=row.assignee_id, display_name=shown_name(row.assignee_name)
    )


def _last_message(row: Any) -> LastMessage | None:
    if row.last_message_id is None:
        return None
    text = row.last_content["text"] if row.last_content else None
    return LastMessage(
        id=row.last_message_id,
        author_type=row.last_author_type,
        text=None if text is None else summarise(text),
        created_at=row.last_created_at,
    )


def summarise(text: str) -> str:
    """The beginning of a text, at most 200 characters, cut between graphemes (UAX 29)."""
    cut = SUMMARY_CHARACTERS
    if len(text) <= cut:
        return text
    ends = (match.end() for match in regex.finditer(r"\X", text[: cut + 1]))
    return text[: max((end for end in ends if end <= cut), default=cut)]
