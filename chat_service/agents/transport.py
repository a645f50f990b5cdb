"""Wire models of agents, of signing in, of links and second factors, and of tickets."""

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field

from chat_service.agents.choice import NewPassword
from chat_service.schema import AgentStatus, Availability, Permission, Role
from chat_service.transport import (
    DeviceId,
    Email,
    Name,
    Request,
    Response,
    Text,
    Time,
    example,
)

Password = Annotated[Text, Field(min_length=1, max_length=1024)]
"""A password as somebody remembers it."""
Code = Annotated[Text, Field(min_length=1, max_length=64)]
"""Six digits of an authenticator, or one of the recovery codes."""
LinkToken = Annotated[Text, Field(min_length=1, max_length=200)]
Slug = Annotated[Text, Field(max_length=63)]
COOKIE: Final = Field(
    default=False,
    description="For pages of the service itself: the token comes as a cookie, and not in the answer.",
)


class SignIn(Request):
    """E-mail and password of an agent; `workspace` (its slug) where there is more than one.

    `code` where the account has a second factor: of the authenticator, or a recovery code.
    """

    model_config = example(email="owner@example.org", password="correct horse battery staple")

    email: Email = Field(examples=["owner@example.org"])
    password: Password
    workspace: Slug | None = None
    code: Code | None = None
    cookie: bool = COOKIE


class AgentView(Response):
    """A member of staff, as colleagues see him. `role_id` is null but for the role `custom`."""

    object: str = Field(examples=["agent"])
    id: UUID
    workspace_id: UUID
    email: str
    display_name: str
    role: Role
    role_id: UUID | None
    status: AgentStatus


class ManagedAgent(AgentView):
    """A member of staff, as those see him who manage agents."""

    second_factor: bool


class OwnAgent(ManagedAgent):
    """Oneself: also what one may do, and how many recovery codes are left."""

    recovery_codes_left: int
    permissions: list[Permission]


class AgentResponse(Response):
    """One member of staff; those who manage agents see more of him."""

    agent: ManagedAgent | AgentView


class AgentList(Response):
    """All members of staff, in the order in which they were added."""

    data: list[ManagedAgent | AgentView]


class OwnAgentResponse(Response):
    """Who asks."""

    agent: OwnAgent


class NewAgent(Request):
    """Whom to invite; `role_id` goes with the role `custom`."""

    model_config = example(email="new@example.org", display_name="Nora New", role="agent")

    email: Email
    display_name: Name
    role: Role
    role_id: UUID | None = None


class PatchAgent(Request):
    """What to change of an agent; what is left out or null stays."""

    model_config = example(display_name="Nora Newman")

    display_name: Name | None = None
    role: Role | None = None
    role_id: UUID | None = None


class LinkView(Response):
    """The right to choose a password once. `url` is null without `server.public_url`."""

    token: str
    url: str | None
    expires_at: Time


class InvitedResponse(Response):
    """An agent, and the link that he is to be given. It is told here and never again."""

    agent: ManagedAgent
    link: LinkView


class UseLink(Request):
    """A link and the password chosen by it; `code` where the account has a second factor."""

    model_config = example(token="il_…", password="correct horse battery staple")

    token: LinkToken
    password: NewPassword
    display_name: Name | None = None
    code: Code | None = None
    cookie: bool = COOKIE


class AskRecovery(Request):
    """Whose password is forgotten; `workspace` (its slug) where there is more than one."""

    model_config = example(email="owner@example.org")

    email: Email = Field(examples=["owner@example.org"])
    workspace: Slug | None = None


class ChangePassword(Request):
    """The password so far, and the one chosen in its place."""

    model_config = example(old_password="correct horse", password="correct horse battery staple")

    old_password: Password
    password: NewPassword


class BeginSecondFactor(Request):
    """The password, for whoever finds a screen unlocked must not lock its owner out."""

    model_config = example(password="correct horse battery staple")

    password: Password


class SecondFactorBegun(Response):
    """What an authenticator is given, as text and as a QR code's. Nothing asks for codes yet."""

    secret: str
    otpauth_uri: str


class ConfirmSecondFactor(Request):
    """The first code of the authenticator."""

    model_config = example(code="287082")

    code: Code


class SecondFactorSet(Response):
    """Ten codes, each good once, for the day the authenticator is lost. They are told here alone."""

    recovery_codes: list[str]


class RemoveSecondFactor(Request):
    """The password, and a code of the authenticator or a recovery code."""

    model_config = example(password="correct horse battery staple", code="287082")

    password: Password
    code: Code


class LoginView(Response):
    """A place where an agent is signed in. `current` is the login that asks."""

    object: str = Field(examples=["login"])
    id: UUID
    created_at: Time
    expires_at: Time
    last_used_at: Time | None = Field(description="To the minute, and a few seconds late.")
    address: str | None
    user_agent: str | None
    current: bool


class LoginList(Response):
    """The logins of an agent that have not ended, newest first."""

    data: list[LoginView]


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
