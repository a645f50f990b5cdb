"""Wire models of starting a session."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from chat_service.messages.transport import MessageView, NewMessage
from chat_service.sessions.transport import SessionView
from chat_service.transport import Attributes, ClientId, Request, Response, Subject, example


class FirstMessage(NewMessage):
    """The message a session begins with; it needs its own `client_message_id`."""

    client_message_id: ClientId = Field(examples=["m-1"])


class StartSession(Request):
    """A new session, or with `resume_or_create` the unclosed one there is.

    A customer's session is his own; staff name the customer. Starting again with the same
    `client_session_id` gives the same session, without limit of time.
    """

    model_config = example(
        client_session_id="visit-1",
        initial_message={
            "client_message_id": "m-1",
            "content": {"type": "text", "text": "My order is late"},
        },
    )

    mode: Literal["create", "resume_or_create"] = "create"
    client_session_id: ClientId | None = Field(
        default=None, description="Required, here or as `Idempotency-Key`.", examples=["visit-1"]
    )
    customer_id: UUID | None = Field(default=None, description="For staff only.")
    team_id: UUID | None = Field(
        default=None, description="For staff only: whose members see it. Of a new session alone."
    )
    subject: Subject | None = None
    initial_message: FirstMessage | None = None
    custom_attributes: Attributes = Field(default_factory=dict, description="For staff only.")


class StartedResponse(Response):
    """The session, its first message, and from which point and where to follow its events."""

    session: SessionView
    message: MessageView | None
    cursor: str
    websocket_url: str
