"""Wire models of events: one envelope for every transport."""

from typing import Any
from uuid import UUID

from pydantic import Field

from chat_service.events.schema import EVENT_TYPES
from chat_service.sessions.transport import SummaryView
from chat_service.transport import ActorView, Query, Response, Time, words_of

EVENTS_AT_MOST = 500


class CustomerEnvelope(Response):
    """What happened, with the full resource as it is now. `seq` is the caller's numbering.

    Apply a resource and the summary by `id`, and keep the higher `version`. Unknown types must be
    ignored, and count all the same.
    """

    id: UUID
    type: str = Field(examples=["message.created"])
    timestamp: Time
    workspace_id: UUID
    session_id: UUID | None
    stream: str = Field(examples=["session:0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10"])
    seq: int | None
    cursor: str
    actor: ActorView
    data: dict[str, Any]
    session: SummaryView | None = Field(description="The session's summary as it is now.")
    schema_: int = Field(alias="schema", examples=[1])


class StaffEnvelope(CustomerEnvelope):
    """An event as staff see it."""

    public_seq: int | None


Envelope = StaffEnvelope | CustomerEnvelope


class EventPage(Response):
    """Events in their order. Read on from `next_cursor`, which is also the last one's at the end."""

    data: list[Envelope]
    next_cursor: str
    has_more: bool


class SessionEventsQuery(Query):
    """Everything behind `after` (a cursor) or `after_seq` (a number); without both from the start."""

    after: str | None = Field(default=None, max_length=512)
    after_seq: int | None = Field(default=None, ge=0, le=2**53)
    limit: int = Field(default=100, ge=1)
    wait: float = Field(
        default=0, ge=0, description="How many seconds to wait for an event, at most 25."
    )


class EventsQuery(Query):
    """Everything behind `after`, a cursor of the workspace's log; `types` filters, by commas."""

    after: str | None = Field(default=None, max_length=512)
    types: str | None = Field(
        default=None, pattern=words_of(EVENT_TYPES), examples=["message.created,session.closed"]
    )
    limit: int = Field(default=100, ge=1)
