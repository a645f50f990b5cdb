"""Wire models of customers and their tokens.

What a customer is shown of himself is an allow-list: the host site's id of him and whether he is
blocked are for staff.
"""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field, field_validator
from pydantic_core import PydanticCustomError

from chat_service.transport import (
    DeviceId,
    Email,
    Moment,
    Name,
    Request,
    Response,
    Text,
    Time,
    example,
)

TOKEN_AT_MOST = 4_096


def _as_text(value: object) -> object:
    if not isinstance(value, str):
        raise PydanticCustomError("wrong_type", "must be a time as text")
    return value


Until = Annotated[Moment, Field(strict=False), BeforeValidator(_as_text)]
"""A time of a body: RFC 3339, with its offset."""


class Profile(Request):
    """What a person says about himself. It is shown to agents as claimed and opens nothing."""

    name: Name | None = Field(default=None, examples=["Ada"])
    email: Email | None = Field(default=None, examples=["ada@example.org"])


class NewCustomer(Request):
    """A person who begins to chat; call it with the first message, not with the first look.

    With an `identity_token` of the host site, and the `device_id` that shows it, the person is the
    customer whom the site vouches for.
    """

    model_config = example(profile={"name": "Ada"}, device_id="tab-1")

    profile: Profile = Profile()
    device_id: DeviceId | None = Field(
        default=None, description="If given, only this device may renew the tokens."
    )
    identity_token: Text | None = Field(
        default=None,
        min_length=1,
        max_length=TOKEN_AT_MOST,
        description="A JWT signed by a key of the inbox; needs `device_id`.",
    )


class RefreshToken(Request):
    """The newest refresh token, or the one before it where the answer was lost."""

    refresh_token: Text = Field(min_length=1, max_length=256)
    device_id: DeviceId | None = Field(
        default=None, description="The same as at the beginning, where one was given there."
    )


class PatchCustomer(Request):
    """JSON Merge Patch (RFC 7396): fields that are left out stay; null clears."""

    model_config = example(name="Ada")

    name: Name | None = None
    email: Email | None = None


class BlockCustomer(Request):
    """How long the customer may not chat; without `until` for good."""

    model_config = example(until="2036-11-29T00:00:00Z")

    until: Until | None = None

    @field_validator("until")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        try:
            return value and value.astimezone(UTC)
        except OverflowError:
            raise ValueError("the time is out of range") from None


class CustomerView(Response):
    """A person served. Who is `verified` is known to the host site; what is not is only claimed."""

    object: str = Field(examples=["customer"])
    id: UUID
    workspace_id: UUID
    inbox_id: UUID
    name: str | None
    email: str | None
    email_verified: bool
    verified: bool
    created_at: Time


class StaffCustomer(CustomerView):
    """A person served, as staff see him. `blocked_until` is null where he is blocked for good."""

    external_id: str | None
    blocked_at: Time | None
    blocked_until: Time | None


class CustomerResponse(Response):
    """One customer."""

    customer: StaffCustomer | CustomerView


class CustomerTokens(Response):
    """A short-lived token for the `Authorization: Bearer` header, and the one that renews it."""

    customer: CustomerView
    access_token: str
    refresh_token: str
    expires_in: int
    websocket_url: str


def customer_view(customer: Any) -> CustomerView:
    """A customer as he sees himself."""
    return CustomerView(**_shared(customer))


def staff_view(customer: Any, *, blocked: bool) -> StaffCustomer:
    """A customer as staff see him; a block whose time has passed is none."""
    at: datetime | None = customer.blocked_at if blocked else None
    return StaffCustomer(
        **_shared(customer),
        external_id=customer.external_id,
        blocked_at=at,
        blocked_until=customer.blocked_until if blocked else None,
    )


def _shared(customer: Any) -> dict[str, Any]:
    return {
        "object": "customer",
        "id": customer.id,
        "workspace_id": customer.workspace_id,
        "inbox_id": customer.inbox_id,
        "name": customer.name,
        "email": customer.email,
        "email_verified": customer.email_verified,
        "verified": customer.external_id is not None,
        "created_at": customer.created_at,
    }
