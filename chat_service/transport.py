"""What wire models share: requests refuse the unknown, answers carry no defaults.

Owns the bases Request, Query and Response, the wire types of text and time, the headers a route may
say it knows, and the documents Problem and Page. Leaves each resource's models to its folder.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Generic, TypeVar
from uuid import UUID

from email_validator import SPECIAL_USE_DOMAIN_NAMES
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    EmailStr,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from chat_service.schema import Actor, AuthorType

Json = dict[str, Any]
"""An object of an answer, of values that JSON knows."""


def rfc3339(value: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03}Z"


Time = Annotated[
    datetime,
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    Field(json_schema_extra={"format": "date-time"}),
]
"""A time of an answer: RFC 3339, UTC, milliseconds, `Z`."""


def _with_a_date(value: object) -> object:
    """Refuse bare numbers, which the validator would take for seconds since 1970."""
    if isinstance(value, str) and not re.match(r"\d{4}-", value):
        raise PydanticCustomError("wrong_format", "must be a time as in RFC 3339")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_with_a_date)]
"""A time of a query: RFC 3339, with its offset."""


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


NO_NUL: Final = r"^[^\u0000]*$"
Text = Annotated[str, AfterValidator(_storable), Field(json_schema_extra={"pattern": NO_NUL})]
"""Text as typed. NUL is refused; lone surrogates never pass the UTF-8 parser."""
Name = Annotated[Text, Field(min_length=1, max_length=128), _at_most(128)]
Subject = Annotated[Text, Field(min_length=1, max_length=200), _at_most(800)]
CLIENT_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
ClientId = Annotated[str, Field(pattern=f"^{CLIENT_ID.pattern}$")]
"""An id made by the client: up to 64 of letters, digits and `_.:-`."""
DeviceId = Annotated[str, Field(pattern=f"^{CLIENT_ID.pattern}$", examples=["tab-1"])]
"""A browser or app, by an id it made for itself."""
AN_ID: Final = "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10"
"""An id for examples."""
LARGEST: Final = 2**53
"""The largest whole number that every JSON reader keeps exactly."""


# Addresses inside a network of one's own, as of `.local`, are addresses too.
SPECIAL_USE_DOMAIN_NAMES.clear()
Email = Annotated[EmailStr, Field(max_length=254)]
"""An address by its form; whether anybody has it is another question."""


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 1.0 is 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE: Final = BeforeValidator(_whole)
"""Makes a number of a body one that counts, where it has bounds of its own."""
Whole = Annotated[int, Field(ge=0, le=LARGEST), WHOLE]
"""A number in a body that counts something."""


def _scalar(value: Any) -> Any:
    if isinstance(value, str):
        return _storable(value)
    if value is not None and not isinstance(value, bool | int | float):
        raise PydanticCustomError("wrong_type", "must be text, a number, true, false or null")
    finite = not isinstance(value, float) or math.isfinite(value)
    if not finite or isinstance(value, int) and abs(value) > LARGEST:
        raise PydanticCustomError("out_of_range", "must be a number that JSON readers can keep")
    return value


Attributes = Annotated[
    dict[
        Annotated[Text, Field(min_length=1, max_length=64)],
        Annotated[Any, AfterValidator(_scalar)],
    ],
    Field(max_length=100),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": 100,
            "propertyNames": {"minLength": 1, "maxLength": 64, "pattern": NO_NUL},
            "additionalProperties": {
                "type": ["string", "number", "boolean", "null"],
                "pattern": NO_NUL,
                "minimum": -LARGEST,
                "maximum": LARGEST,
            },
        }
    ),
]
"""A flat object of free data; its size in JSON is bounded by `limits.attributes_bytes`."""


_UNSEEN: Final = re.compile("[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


def shown_name(name: str) -> str:
    """A name without what turns or hides the text around it: bidi controls and zero-width signs."""
    return _UNSEEN.sub("", name)


def words_of(words: Iterable[str]) -> str:
    """The pattern of a filter: some of these words, joined by commas."""
    one = "|".join(re.escape(word) for word in words)
    return f"^({one})(,({one}))*$"


@dataclass(frozen=True, slots=True)
class Header:
    """A header of requests or answers, as the API's document shows it."""

    name: str
    description: str
    pattern: str | None = None
    example: str | None = None


IDEMPOTENCY_KEY: Final = Header(
    "Idempotency-Key",
    "Another name of the id made by the client; if both are given, the field of the body counts.",
    f"^{CLIENT_ID.pattern}$",
)
IF_MATCH: Final = Header("If-Match", 'Change only this version, like `"s17"`; else 412.')
IF_NONE_MATCH: Final = Header(
    "If-None-Match", 'The version the caller has, like `"s17"`; if it is still that one, 304.'
)
REQUEST_ID: Final = Header("Request-Id", "Names this request in the logs.", example=AN_ID)
LAST_EVENT_ID: Final = Header(
    "Last-Event-ID", "The cursor of the last event a stream gave; it goes before `after`."
)
ETAG: Final = Header("ETag", "The version the caller sees.", '^"s[0-9]+"$', '"s17"')
LOCATION: Final = Header("Location", "Where it is.", "^/v1/", f"/v1/sessions/{AN_ID}")
REPLAYED: Final = Header("Idempotent-Replayed", "Only if the message was there.", "^true$", "true")
RETRY_AFTER: Final = Header("Retry-After", "In how many seconds to try again.", "^[0-9]+$", "1")
RATE_LIMIT_POLICY: Final = Header(
    "RateLimit-Policy",
    "How often may be asked: `q` at once, all of which comes back in `w` seconds, by each of the names.",
    example='"send";q=20;w=4, "send-minute";q=100;w=60',
)
RATE_LIMIT: Final = Header(
    "RateLimit",
    "Of the policy of which least is left: `r` more, and in `t` seconds one more than that.",
    '^"[a-z-]+";r=[0-9]+;t=[0-9]+$',
    '"send-minute";r=42;t=1',
)
SET_COOKIE: Final = Header(
    "Set-Cookie", "The cookie of a login, given or taken away; only where it was asked for."
)
WWW_AUTHENTICATE: Final = Header("WWW-Authenticate", "How to sign in.", "^Bearer$", "Bearer")


class Request(BaseModel):
    """The body of a request: unknown fields and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


def example(**fields: Any) -> ConfigDict:
    """A body as somebody would send it, for the API's document."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


class Empty(Request):
    """No fields: an empty object, or no body at all."""


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

    pointer: str = Field(
        description="Where in the body (RFC 6901), or the name of the parameter or header.",
        examples=["/content/text"],
    )
    code: str = Field(
        description="`missing`, `unknown_field`, `wrong_type`, `wrong_format`, `unknown_value`, "
        "`out_of_range`, `too_long`, `too_short`, `repeated`, or a word of the field's own.",
        examples=["too_long"],
    )
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
