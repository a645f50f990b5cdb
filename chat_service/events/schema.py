"""Every event type: one frozen class each, and their union.

An event is who did what to which thing, in ids and codes; free text never stands in it. Names are
`noun.past_tense`. Who may read an event is its `audience`.
"""

from datetime import datetime
from typing import Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from chat_service.schema import (
    Actor,
    AgentId,
    Audience,
    ClosedReason,
    CustomerId,
    EventId,
    InboxId,
    MessageId,
    RoleId,
    SessionId,
    TeamId,
    TokenId,
    Visibility,
    WorkspaceId,
    new_id,
)

Changes = dict[str, tuple[Any, Any]]
"""Old and new value of fields that are codes, ids, numbers or times."""


def _in_order(stored: Any) -> Any:
    """JSON as PostgreSQL gives it back, so that an event is the same before it was read and after."""
    if isinstance(stored, dict):
        keys = sorted(stored, key=lambda key: (len(key), key))
        return {key: _in_order(stored[key]) for key in keys}
    return [_in_order(each) for each in stored] if isinstance(stored, list) else stored


class Event(BaseModel):
    """A fact of a workspace."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    audience: Audience
    workspace_id: WorkspaceId
    actor: Actor
    at: datetime
    session_id: SessionId | None = None
    message_id: MessageId | None = None
    id: EventId = Field(default_factory=lambda: EventId(new_id()))

    def data(self) -> dict[str, Any]:
        """What this type adds to the common fields, as it is stored."""
        own = set(type(self).model_fields) - set(Event.model_fields)
        stored = self.model_dump(mode="json", include=own, exclude_defaults=True) if own else {}
        return dict(_in_order(stored))


class WorkspaceEvent(Event):
    """A fact that belongs to no session, or that happened before anyone could follow it."""

    audience: Literal[Audience.WORKSPACE] = Audience.WORKSPACE


class SessionEvent(Event):
    """A fact of a session. Public unless its type or its visibility says otherwise."""

    session_id: SessionId
    audience: Literal[Audience.PUBLIC, Audience.INTERNAL] = Audience.PUBLIC


class SessionCreated(WorkspaceEvent):
    """A session began; its first participants are part of it."""

    type: Literal["session.created"] = "session.created"
    session_id: SessionId


class SessionUpdated(SessionEvent):
    """Fields of a session changed. Internal where no customer sees any of them."""

    type: Literal["session.updated"] = "session.updated"
    changed: list[str]
    changes: Changes = Field(default_factory=dict)


class SessionAssigned(SessionEvent):
    """A session has a new assignee, by a claim, an assignment or a first answer."""

    type: Literal["session.assigned"] = "session.assigned"
    changes: Changes


class SessionClosed(SessionEvent):
    """The chat ended. Customers are told too, but never the reason."""

    type: Literal["session.closed"] = "session.closed"
    reason: ClosedReason
    changes: Changes


class SessionReopened(SessionEvent):
    """A closed chat goes on, by hand or by a message of the customer."""

    type: Literal["session.reopened"] = "session.reopened"
    changes: Changes


class SessionRequeued(SessionEvent):
    """A chat went back to the queue, because nobody who can answer holds it."""

    type: Literal["session.requeued"] = "session.requeued"
    changes: Changes


class ParticipantJoined(SessionEvent):
    """An actor became part of a session."""

    type: Literal["participant.joined"] = "participant.joined"
    participant: Actor


class MessageEvent(SessionEvent):
    """A fact of a message, for those who may see the message."""

    message_id: MessageId


class MessageCreated(MessageEvent):
    """Somebody said something."""

    type: Literal["message.created"] = "message.created"


class MessageUpdated(MessageEvent):
    """The author changed a message."""

    type: Literal["message.updated"] = "message.updated"
    changed: list[str]


class MessageDeleted(MessageEvent):
    """A message became a tombstone."""

    type: Literal["message.deleted"] = "message.deleted"


class AgentCreated(WorkspaceEvent):
    """A member of staff was added."""

    type: Literal["agent.created"] = "agent.created"
    agent_id: AgentId


class AgentUpdated(WorkspaceEvent):
    """A member of staff has another name, role, or status; `changed` names which."""

    type: Literal["agent.updated"] = "agent.updated"
    agent_id: AgentId
    changed: list[str]


class AgentDeactivated(WorkspaceEvent):
    """A member of staff may not sign in any more."""

    type: Literal["agent.deactivated"] = "agent.deactivated"
    agent_id: AgentId


class RoleUpdated(WorkspaceEvent):
    """A role of the workspace's own was made, changed or removed; `changed` names which fields."""

    type: Literal["role.updated"] = "role.updated"
    role_id: RoleId
    changed: list[str]


class TeamUpdated(WorkspaceEvent):
    """A team was made, changed or removed; `agent_ids` are those who joined or left."""

    type: Literal["team.updated"] = "team.updated"
    team_id: TeamId
    agent_ids: list[AgentId]


class CustomerUpdated(WorkspaceEvent):
    """What is known of a customer changed, or who he is was proven; `changed` names which."""

    type: Literal["customer.updated"] = "customer.updated"
    customer_id: CustomerId
    changed: list[str]


class CustomerMerged(WorkspaceEvent):
    """A visitor turned out to be a verified customer, who has his sessions now."""

    type: Literal["customer.merged"] = "customer.merged"
    customer_id: CustomerId
    into: CustomerId


class CustomerBlocked(WorkspaceEvent):
    """A customer may not chat any more, or not before a date."""

    type: Literal["customer.blocked"] = "customer.blocked"
    customer_id: CustomerId


class CustomerUnblocked(WorkspaceEvent):
    """A customer may chat again."""

    type: Literal["customer.unblocked"] = "customer.unblocked"
    customer_id: CustomerId


class InboxUpdated(WorkspaceEvent):
    """An inbox was made or changed."""

    type: Literal["inbox.updated"] = "inbox.updated"
    inbox_id: InboxId


class TokenRevoked(WorkspaceEvent):
    """A token ended before its time."""

    type: Literal["token.revoked"] = "token.revoked"
    token_id: TokenId


AnyEvent = (
    SessionCreated
    | SessionUpdated
    | SessionAssigned
    | SessionClosed
    | SessionReopened
    | SessionRequeued
    | ParticipantJoined
    | MessageCreated
    | MessageUpdated
    | MessageDeleted
    | AgentCreated
    | AgentUpdated
    | AgentDeactivated
    | RoleUpdated
    | TeamUpdated
    | CustomerUpdated
    | CustomerMerged
    | CustomerBlocked
    | CustomerUnblocked
    | InboxUpdated
    | TokenRevoked
)
"""All of them; what a reader of the log may meet."""
EVENT_TYPES: Final = tuple(sorted(kind.model_fields["type"].default for kind in get_args(AnyEvent)))


def audience_of(visibility: Visibility) -> Literal[Audience.PUBLIC, Audience.INTERNAL]:
    """Who may read the events of a message or participant."""
    return Audience.PUBLIC if visibility is Visibility.PUBLIC else Audience.INTERNAL
