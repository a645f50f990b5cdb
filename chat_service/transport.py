"""What wire models share: requests refuse the unknown, answers carry no defaults.

Owns the bases Request, Query and Response, the wire types of text and time, and the documents
Problem and Page. Leaves each resource's models to its folder.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Final, Generic, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from chat_service.schema import Actor, AuthorType


def _rfc3339(value: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03}Z"


Time = Annotated[
    datetime,
    PlainSerializer(_rfc3339, return_type=str, when_used="json"),
    Field(json_schema_extra={"format": "date-time"}),
]
"""A time of an answer: RFC 3339, UTC, milliseconds, `Z`."""


def _storable(value: str) -> str:
    if "\0" in value:
        raise PydanticCustomError("nul_character", "must not contain NUL")
    return value


def _at_most(size: int) -> AfterValidator:
    def check(value: str) -> str:
        if len(value.encode()) > size:
            raise PydanticCustomError(
                "too_long", "must have at most {size} bytes in UTF-8", {"size": size}
            )
        return value

    return AfterValidator(check)


Text = Annotated[str, AfterValidator(_storable)]
"""Text as typed. NUL is refused; lone surrogates never pass the UTF-8 parser."""
Name = Annotated[Text, Field(min_length=1, max_length=128), _at_most(128)]
Subject = Annotated[Text, Field(min_length=1, max_length=200), _at_most(800)]
CLIENT_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
ClientId = Annotated[str, Field(pattern=f"^{CLIENT_ID.pattern}$")]
"""An id made by the client: up to 64 of letters, digits and `_.:-`."""
Attributes = Annotated[
    dict[
        Annotated[Text, Field(min_length=1, max_length=64)],
        Text | bool | Annotated[int, Field(ge=-(2**53), le=2**53)] | float | None,
    ],
    Field(max_length=100),
]
"""A flat object of free data; its size in JSON is bounded by `limits.attributes_bytes`."""


class Request(BaseModel):
    """The body of a request: unknown fields and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Query(BaseModel):
    """The query of a request: unknown parameters are refused; values arrive as text."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Response(BaseModel):
    """A document the service gives out; every field is always there."""

    model_config = ConfigDict(frozen=True, from_attributes=True, extra="forbid")


class ActorView(Response):
    """Who did something. `id` is null for the system."""

    type: AuthorType
    id: UUID | None

    @classmethod
    def of(cls, actor: Actor) -> "ActorView":
        """Show an actor."""
        return cls.model_construct(type=actor.type, id=actor.id)


Item = TypeVar("Item")


class PageLinks(Response):
    """Where the list goes on. `next_cursor` is null at its end."""

    next_cursor: str | None
    prev_cursor: str | None
    has_more: bool


class Page(Response, Generic[Item]):
    """One page of a list."""

    data: list[Item]
    page: PageLinks


class ProblemField(Response):
    """One wrong field or parameter."""

    pointer: str = Field(examples=["/content/text"])
    code: str = Field(examples=["too_long"])
    detail: str


class Problem(Response):
    """What every error looks like (RFC 9457). `code` is the stable part; more members may follow."""

    model_config = ConfigDict(frozen=True, extra="allow", title="Problem")

    type: str = Field(examples=["/problems/not_found"])
    title: str
    status: int
    detail: str
    instance: str
    code: str = Field(examples=["not_found"])
    retryable: bool
    request_id: str
    errors: list[ProblemField]
