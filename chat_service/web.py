"""What routes share: who calls, parse, answer, and the one handler that renders problems.

The only part below the domains that may import quart. Owns how HTTP becomes typed values and back;
leaves what to do with them to services and queries.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Flag, auto
from typing import Any, Final, TypeVar, cast

import orjson
import structlog
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from quart import Quart, Response, current_app, g, request
from quart_schema import document_querystring, document_request, document_response
from werkzeug.exceptions import HTTPException

from chat_service.auth import Authenticator, Caller, Keys
from chat_service.config import Auth, Limits
from chat_service.errors import (
    BadRequest,
    BodyTooLarge,
    FieldError,
    Forbidden,
    InternalError,
    InvalidFilter,
    InvalidParameter,
    MalformedBody,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    PreconditionFailed,
    ServiceError,
    Unauthenticated,
    Unavailable,
    UnknownParameter,
    UnsupportedMediaType,
    ValidationFailed,
)
from chat_service.schema import Clock, TokenKind, new_id
from chat_service.server.drain import Drain
from chat_service.transport import CLIENT_ID, Query, Request

log = structlog.get_logger(__name__)
JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"

DOCUMENTED: Final = "_documented"

Route = TypeVar("Route", bound=Callable[..., Any])
Body = TypeVar("Body", bound=Request)
Parameters = TypeVar("Parameters", bound=Query)


class Who(Flag):
    """Whom a route serves."""

    PUBLIC = auto()
    CUSTOMER = auto()
    AGENT = auto()
    KEY = auto()


KINDS: Final = {
    TokenKind.CUSTOMER: Who.CUSTOMER,
    TokenKind.AGENT: Who.AGENT,
    TokenKind.KEY: Who.KEY,
}


@dataclass(frozen=True)
class Documented:
    """What a route says of itself, for its check of callers and for the API's document."""

    who: Who
    answers: Mapping[int, type[BaseModel] | None]
    errors: Sequence[type[ServiceError]]


def document(
    who: Who,
    *,
    body: type[Request] | None = None,
    query: type[Query] | None = None,
    answers: Mapping[int, type[BaseModel] | None],
    errors: Sequence[type[ServiceError]] = (),
) -> Callable[[Route], Route]:
    """Say whom a route serves, what it takes and what it answers; None stands for no body.

    What every route may answer (401, 415, 422, 503 …) need not be listed among `errors`.
    """

    def decorate(route: Route) -> Route:
        setattr(route, DOCUMENTED, Documented(who, answers, errors))
        if body is not None:
            document_request(body)(route)
        if query is not None:
            document_querystring(query)(route)
        for status, model in answers.items():
            if model is not None:
                document_response(model, status)(route)
        return route

    return decorate


def documented(route: Callable[..., Any]) -> Documented:
    """What `document` said of a route; every route has been documented."""
    return cast(Documented, getattr(route, DOCUMENTED))


@dataclass(frozen=True)
class Shared:
    """What `create_app` hands to the routes."""

    auth: Auth
    limits: Limits
    development: bool
    keys: Keys
    authenticator: Authenticator
    clock: Clock
    drain: Drain
    passwords: Any
    """`agents.passwords.Passwords`, which stands higher than this."""
    lanes: Any
    """`messages.services.MessageLanes`, which stands higher than this."""


def shared() -> Shared:
    """What this application's routes share."""
    return cast(Shared, current_app.extensions["chat_service"])


def now() -> datetime:
    """The present time by the application's clock."""
    return shared().clock()


def request_id() -> str:
    """The id of this request, in its answer's header, its problem document and the logs."""
    if "request_id" not in g:
        g.request_id = str(new_id())
    return cast(str, g.request_id)


async def caller() -> Caller:
    """Who sends this request; raises Unauthenticated, or Forbidden where the route is not for him."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated()
    found = await shared().authenticator.authenticate(token.strip())
    structlog.contextvars.bind_contextvars(workspace=str(found.workspace_id))
    if KINDS[found.kind] not in documented(current_app.view_functions[str(request.endpoint)]).who:
        raise Forbidden("This address is not for this kind of caller")
    return found


async def parse(model: type[Body]) -> Body:
    """The body of this request as `model`, straight from its bytes.

    Raises UnsupportedMediaType, BodyTooLarge, MalformedBody, or ValidationFailed with each field.
    """
    query(Query)
    raw = await request.get_data(cache=False)
    if not raw:
        raw = b"{}"
    elif request.mimetype != JSON:
        raise UnsupportedMediaType()
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise _refused(error) from None


def query(model: type[Parameters]) -> Parameters:
    """The query of this request as `model`; raises UnknownParameter or InvalidParameter."""
    given = request.args.to_dict(flat=False)
    doubled = [name for name, values in given.items() if len(values) > 1]
    if doubled:
        raise InvalidParameter(errors=[FieldError(doubled[0], "repeated", "given twice")])
    try:
        return model.model_validate({name: values[0] for name, values in given.items()})
    except ValidationError as error:
        fields = [_field(item, "") for item in error.errors(include_url=False)]
        unknown = [field for field in fields if field.code == "extra_forbidden"]
        if unknown:
            raise UnknownParameter(errors=unknown) from None
        filters = set(getattr(model, "filters", ()))
        kind = InvalidFilter if {field.pointer for field in fields} & filters else InvalidParameter
        raise kind(errors=fields) from None


def answer(
    body: BaseModel | None,
    status: int = 200,
    *,
    headers: Mapping[str, str] | None = None,
    etag: str | None = None,
) -> Response:
    """A JSON answer; with an `etag` that the caller already has, 304 and no body."""
    given = dict(headers or {})
    if etag is not None:
        given["ETag"] = etag
        if request.method == "GET" and _matches(request.headers.get("If-None-Match"), etag):
            return Response(b"", 304, given)
    if body is None:
        return Response(b"", status, given)
    return Response(body.model_dump_json(by_alias=True), status, given, JSON)


def check_match(etag: str, current: BaseModel) -> None:
    """Compare `If-Match`, where it is given, with the present state; raises PreconditionFailed."""
    wanted = request.headers.get("If-Match")
    if wanted is not None and not _matches(wanted, etag):
        raise PreconditionFailed(current=current.model_dump(mode="json"), headers={"ETag": etag})


def idempotency_key() -> str | None:
    """The header that is another name of `client_message_id` and `client_session_id`."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not CLIENT_ID.fullmatch(key):
        wrong = FieldError("Idempotency-Key", "pattern", f"must match {CLIENT_ID.pattern}")
        raise InvalidParameter(errors=[wrong])
    return key


def _matches(header: str | None, etag: str) -> bool:
    if header is None:
        return False
    candidates = {item.strip().removeprefix("W/") for item in header.split(",")}
    return "*" in candidates or etag in candidates


def _refused(error: ValidationError) -> ServiceError:
    problems = error.errors(include_url=False, include_input=False)
    first = problems[0]
    if first["type"] == "json_invalid":
        reason = str(first.get("ctx", {}).get("error", ""))
        if "surrogate" in reason:
            return ValidationFailed(errors=[FieldError("", "lone_surrogate", reason)])
        return MalformedBody(reason)
    return ValidationFailed(errors=[_field(item, "/") for item in problems])


def _field(item: ErrorDetails, lead: str) -> FieldError:
    place = "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in item["loc"])
    return FieldError(f"{lead}{place}", item["type"], item["msg"])


def install(app: Quart) -> None:
    """Give an application the request id, the access line, and problems for every error."""

    @app.before_request
    def begin() -> None:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id())

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers["Request-Id"] = request_id()
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    app.register_error_handler(ServiceError, problem)
    app.register_error_handler(HTTPException, _from_framework)
    app.register_error_handler(Exception, _from_nowhere)


def problem(error: ServiceError) -> Response:
    """Render an error as a problem document (RFC 9457)."""
    document = {
        "type": f"/problems/{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": request.path,
        "code": error.code,
        **error.members,
        "retryable": error.retryable,
        "request_id": request_id(),
        "errors": [_as_dict(item) for item in error.errors],
    }
    headers = dict(error.headers)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(orjson.dumps(document), error.status, headers, PROBLEM)


def _as_dict(item: FieldError) -> dict[str, str]:
    return {"pointer": item.pointer, "code": item.code, "detail": item.detail}


FRAMEWORK: Final[Mapping[int, type[ServiceError]]] = {
    400: BadRequest,
    404: NotFound,
    405: MethodNotAllowed,
    406: NotAcceptable,
    413: BodyTooLarge,
    415: UnsupportedMediaType,
    503: Unavailable,
}


def _from_framework(error: HTTPException) -> Response:
    """The framework's own errors, in our form."""
    kind = FRAMEWORK.get(error.code or 500, InternalError)
    if error.code == 408:
        kind = BadRequest
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    return problem(kind(headers=headers))


def _from_nowhere(error: Exception) -> Response:
    log.exception("request failed", path=request.path, error=type(error).__name__)
    return problem(InternalError())
