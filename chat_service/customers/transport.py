"""Wire models of customers and their tokens."""

from uuid import UUID

from pydantic import Field

from chat_service.transport import Email, Name, Request, Response, Text, Time, example


class Profile(Request):
    """What a person says about himself. It is shown to agents as claimed and opens nothing."""

    name: Name | None = Field(default=None, examples=["Ada"])
    email: Email | None = Field(default=None, examples=["ada@example.org"])


class NewCustomer(Request):
    """A person who begins to chat; call it with the first message, not with the first look."""

    model_config = example(profile={"name": "Ada"})

    profile: Profile = Profile()


class RefreshToken(Request):
    """The newest refresh token, or the one before it where the answer was lost."""

    refresh_token: Text = Field(min_length=1, max_length=256)


class CustomerView(Response):
    """A person served."""

    object: str = Field(examples=["customer"])
    id: UUID
    workspace_id: UUID
    inbox_id: UUID
    name: str | None
    email: str | None
    created_at: Time


class CustomerTokens(Response):
    """A short-lived token for the `Authorization: Bearer` header, and the one that renews it."""

    customer: CustomerView
    access_token: str
    refresh_token: str
    expires_in: int
    websocket_url: str
