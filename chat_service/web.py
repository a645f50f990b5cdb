"""What routes share: who calls, parse, answer.

Owns how HTTP becomes typed values and back; leaves what to do with them to services and queries,
errors to `problems`, and what a route says of itself to `documenting`, whose words it hands on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar, cast

import orjson
import structlog
from pydantic import BaseModel, ValidationError
from quart import Response, current_app, g, request
from typed_settings.types import Secret

from chat_service.auth import Authenticator, Caller
from chat_service.config import Auth, Limits
from chat_service.documenting import Documented, Who, document, documented
from chat_service.errors import (
    FieldError,
    Forbidden,
    InvalidFilter,
    InvalidParameter,
    NotAcceptable,
    PreconditionFailed,
    Unauthenticated,
    UnknownParameter,
    UnsupportedMediaType,
)
from chat_service.mail import Mailer
from chat_service.metrics import Sampler
from chat_service.quotas import Quotas
from chat_service.refusals import UNKNOWN_FIELD, refused_body, wrong_fields
from chat_service.schema import Clock, TokenKind
from chat_service.server.drain import Drain
from chat_service.server.overload import Overload
from chat_service.site import READS, Site
from chat_service.tokens import Keys
from chat_service.transport import CLIENT_ID, IDEMPOTENCY_KEY, Json, Query, Request

__all__ = [
    "Documented",
    "EVENT_STREAM",
    "JSON",
    "Shared",
    "Who",
    "already_has",
    "answer",
    "bearer",
    "caller",
    "check_match",
    "document",
    "documented",
    "idempotency_key",
    "now",
    "parse",
    "prefers",
    "query",
    "shared",
    "without_body",
]

JSON: Final = "application/json"
EVENT_STREAM: Final = "text/event-stream"
BODIES: Final = (JSON, "application/merge-patch+json")
IDENTITY: Final = "identity"

Body = TypeVar("Body", bound=Request)
Parameters = TypeVar("Parameters", bound=Query)


KINDS: Final = {
    TokenKind.CUSTOMER: Who.CUSTOMER,
    TokenKind.AGENT: Who.AGENT,
    TokenKind.KEY: Who.KEY,
}


@dataclass(frozen=True)
class Shared:
    """What `create_app` hands to the routes."""

    auth: Auth
    limits: Limits
    development: bool
    keys: Keys
    authenticator: Authenticator
    site: Site
    quotas: Quotas
    overload: Overload
    clock: Clock
    drain: Drain
    mailer: Mailer
    passwords: Any
    """`agents.passwords.Passwords`, which stands higher than this."""
    lanes: Any
    """`messages.services.MessageLanes`, which stands higher than this."""
    hub: Any
    """`realtime.hub.Hub`, which stands higher than this."""
    metrics_token: Secret[str] | None
    """Of the configuration; the one thing that links are made from, and empty without it."""
    security_contact: str
    sampler: Sampler
    states: Any
    """`realtime.states.States`, which stands higher than this."""
    oidc: Any
    """`agents.oidc.provider.Provider`, which stands higher than this; None where it is off."""


def shared() -> Shared:
    """What this application's routes share."""
    return cast(Shared, current_app.extensions["chat_service"])


def now() -> datetime:
    """The present time by the application's clock."""
    return shared().clock()


def bearer() -> str:
    """The token of this request: that of its header, else that of an agent's cookie.

    Raises Unauthenticated, and OriginNotAllowed for a write by cookie from another page.
    """
    header = request.headers.get("Authorization")
    if header is None:
        return shared().site.token()
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated()
    return token.strip()


async def caller() -> Caller:
    """Who sends this request, and one more of his; raises what `bearer` does, RateLimited, or
    Forbidden on a route or page of others."""
    found = await shared().authenticator.authenticate(bearer())
    g.caller = found
    structlog.contextvars.bind_contextvars(workspace=str(found.workspace_id))
    about = documented(current_app.view_functions[str(request.endpoint)])
    if KINDS[found.kind] not in about.who:
        raise Forbidden("This address is not for this kind of caller")
    await shared().site.require_page_of(found)
    shared().quotas.count(about.limit, found)
    return found


async def parse(model: type[Body]) -> Body:
    """The body of this request as `model`, straight from its bytes; none at all is an empty object.

    Raises UnsupportedMediaType, BodyTooLarge, BodyTimeout, MalformedBody, ValidationFailed, and
    what `query` raises.
    """
    query(Query)
    raw = await request.get_data(cache=False)
    if not raw:
        raw = b"{}"
    elif (
        request.mimetype not in BODIES
        or request.headers.get("Content-Encoding", IDENTITY) != IDENTITY
    ):
        raise UnsupportedMediaType()
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise refused_body(error) from None


def prefers(one: str, other: str) -> bool:
    """Whether the client would rather be given `one` type than the `other`."""
    return request.accept_mimetypes[one] > request.accept_mimetypes[other]


def query(model: type[Parameters], *, gives: str = JSON) -> Parameters:
    """The query of this request as `model`, if it accepts an answer of the type `gives`.

    Raises NotAcceptable, UnknownParameter, or InvalidFilter and InvalidParameter for values.
    """
    accepted = request.headers.get("Accept", "")
    if accepted not in ("", "*/*", gives) and not request.accept_mimetypes[gives]:
        raise NotAcceptable(f"Only {gives} is given here")
    given = request.args.to_dict(flat=False) if request.query_string else {}
    doubled = [name for name, values in given.items() if len(values) > 1]
    if doubled:
        raise InvalidParameter(errors=[FieldError(doubled[0], "repeated", "given twice")])
    try:
        return model.model_validate({name: values[0] for name, values in given.items()})
    except ValidationError as error:
        items = error.errors(include_url=False, include_input=False)
        fields = wrong_fields(items, lambda item: str(item["loc"][0]))
        unknown = [field for field in fields if field.code == UNKNOWN_FIELD]
        if unknown:
            raise UnknownParameter(errors=unknown) from None
        filters = set(getattr(model, "filters", ()))
        kind = InvalidFilter if {field.pointer for field in fields} & filters else InvalidParameter
        raise kind(errors=fields) from None


def answer(
    body: BaseModel | Json | None,
    status: int = 200,
    *,
    headers: Mapping[str, str] | None = None,
    etag: str | None = None,
) -> Response:
    """A JSON answer; with an `etag` that the caller already has, 304 and no body."""
    given = dict(headers or {})
    if etag is not None:
        given["ETag"] = etag
        if request.method in READS and already_has(etag):
            return without_body(304, given)
    if body is None:
        return without_body(status, given)
    return Response(_to_json(body), status, given, JSON)


def _to_json(body: BaseModel | Json) -> str | bytes:
    """A model as it describes itself; an object as it is, with the models inside."""
    if isinstance(body, BaseModel):
        return body.model_dump_json(by_alias=True)
    return orjson.dumps(body, default=_plain)


def _plain(model: BaseModel) -> Json:
    return model.model_dump(mode="json", by_alias=True)


def without_body(status: int, headers: Mapping[str, str]) -> Response:
    """No content, so no type; of 204 and 304 no length either (RFC 9110, 8.3 and 8.6)."""
    response = Response(b"", status, dict(headers))
    del response.headers["Content-Type"]
    if status in (204, 304):
        del response.headers["Content-Length"]
    return response


def already_has(etag: str) -> bool:
    """Whether this is a reading of a version its caller has; weak tags are as good as strong ones."""
    header = request.headers.get("If-None-Match", "")
    named = {item.strip().removeprefix("W/") for item in header.split(",")}
    return request.method in READS and bool({"*", etag} & named)


def check_match(etag: str, current: BaseModel | Json) -> None:
    """Compare `If-Match`, where it is given, with the present state; raises PreconditionFailed."""
    wanted = request.headers.get("If-Match")
    if wanted is not None and not {"*", etag} & {item.strip() for item in wanted.split(",")}:
        raise PreconditionFailed(current=orjson.loads(_to_json(current)), headers={"ETag": etag})


def idempotency_key(field: str | None) -> str | None:
    """The id made by the client: the body's field, else the header, which is its other name.

    Raises InvalidParameter for a malformed header, whether or not it counts.
    """
    key = request.headers.get(IDEMPOTENCY_KEY.name)
    if key is not None and not CLIENT_ID.fullmatch(key):
        detail = f"must match {CLIENT_ID.pattern}"
        raise InvalidParameter(errors=[FieldError(IDEMPOTENCY_KEY.name, "wrong_format", detail)])
    return field or key
