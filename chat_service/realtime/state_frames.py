"""Wire models of what is said beside the log: read marks, presence, typing.

Each side has its own form: customers are shown no id of staff but a typist's, and none of their
numbers.
"""

from typing import Literal
from uuid import UUID

from pydantic import Field

from chat_service.schema import AuthorType, Availability, Visibility
from chat_service.sessions.read_states import (
    CustomerReadStates,
    ParticipantReadState,
    PutReadState,
)
from chat_service.transport import ActorView, Request, Response, Time, example


class Read(PutReadState):
    """How far the caller has read, in his own numbering; never answered."""

    op: Literal["read"]
    session_id: UUID


class SetTyping(Request):
    """Whether the caller types; of a note no customer is told."""

    model_config = example(is_typing=True)

    is_typing: bool
    visibility: Literal[Visibility.PUBLIC, Visibility.INTERNAL] = Visibility.PUBLIC


class Typing(SetTyping):
    """Whether the caller types; repeated every 3 s, forgotten after 6. Never answered."""

    op: Literal["typing"]
    session_id: UUID


class AgentPresence(Response):
    """A participant's availability; without a connection an agent is offline, whatever he chose."""

    type: AuthorType
    id: UUID
    availability: Availability


class StaffPresence(Response):
    """Who of a session is there, for staff."""

    customer_online: bool
    agents: list[AgentPresence]


class CustomerPresence(Response):
    """Whether who holds the session is there, or while nobody does, any agent."""

    agent_online: bool


class TypingNow(Response):
    """Somebody else types, or types a note."""

    actor: ActorView
    visibility: Visibility


class SessionState(Response):
    """What holds of a session beside its log, as a subscription begins."""

    read_states: list[ParticipantReadState] | CustomerReadStates
    presence: StaffPresence | CustomerPresence
    typing: list[TypingNow]


class AgentAvailability(Response):
    """What is shown of an agent."""

    agent: ActorView
    availability: Availability
    accepting_chats: bool


class State(Response):
    """Whole values that replace those known: of a session, or without one of the workspace.

    What is not there has not changed. `availability` is of one agent.
    """

    op: Literal["state"] = "state"
    session_id: UUID | None
    read_states: list[ParticipantReadState] | CustomerReadStates | None = None
    presence: StaffPresence | CustomerPresence | None = None
    availability: AgentAvailability | None = None


class Ephemeral(Response):
    """Somebody types, or has stopped: an event without number that is told at most once."""

    op: Literal["ephemeral"] = "ephemeral"
    id: UUID
    type: Literal["typing.started", "typing.stopped"]
    timestamp: Time
    workspace_id: UUID
    session_id: UUID
    stream: str = Field(examples=["session:0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10"])
    actor: ActorView
    data: dict[str, Visibility] = Field(examples=[{"visibility": "public"}])
    schema_: int = Field(alias="schema", examples=[1])
