"""Wire models of agents, of signing in, and of tickets."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from chat_service.schema import Availability, Role
from chat_service.transport import DeviceId, Email, Request, Response, Text, example


class SignIn(Request):
    """E-mail and password of an agent; `workspace` (its slug) where there is more than one."""

    model_config = example(email="owner@example.org", password="correct horse battery staple")

    email: Email = Field(examples=["owner@example.org"])
    password: Text = Field(min_length=1, max_length=1024)
    workspace: Text | None = Field(default=None, max_length=63)
    cookie: bool = Field(
        default=False,
        description="For pages of the service itself: the token comes as a cookie, and not in the answer.",
    )


class AgentView(Response):
    """A member of staff."""

    object: str = Field(examples=["agent"])
    id: UUID
    workspace_id: UUID
    email: str
    display_name: str
    role: Role


class SignedIn(Response):
    """A token for the `Authorization: Bearer` header, and how many seconds it lives.

    `access_token` is null where it was given as a cookie.
    """

    agent: AgentView
    access_token: str | None
    expires_in: int
    websocket_url: str


class NewTicket(Request):
    """The right to open a socket; `device_id` must be that of its `hello`."""

    device_id: DeviceId | None = None


class TicketResponse(Response):
    """A ticket for one `hello`, within `expires_in` seconds."""

    ticket: str
    expires_in: int
    websocket_url: str
    protocol: Literal["chat.v1"]


class PatchAvailability(Request):
    """What an agent tells of himself; what is left out or null stays."""

    model_config = example(availability="away")

    availability: Availability | None = None
    accepting_chats: bool | None = None


class AvailabilityResponse(Response):
    """What an agent chose. Without a connection he is shown as offline all the same."""

    availability: Availability
    accepting_chats: bool
