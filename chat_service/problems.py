"""Every error as a problem document (RFC 9457), and what every answer has: its id and its log line.

Owns the words of wrong fields, which are ours and not the validator's, and the ways from an error to
a response. Leaves what went wrong to `errors`, the pages behind `type` to `operations`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Any, Final, cast
from urllib.parse import quote

import orjson
import structlog
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from quart import Quart, Response, g, request
from werkzeug.exceptions import HTTPException

from chat_service.errors import (
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    FieldError,
    InternalError,
    MalformedBody,
    MethodNotAllowed,
    NotFound,
    ServiceError,
    UnsupportedMediaType,
    ValidationFailed,
)
from chat_service.schema import new_id

log = structlog.get_logger(__name__)
PROBLEM: Final = "application/problem+json"
ERRORS_AT_MOST: Final = 50
"""How many wrong fields one problem names."""

UNKNOWN_FIELD: Final = "unknown_field"
_CODES: Final = (
    (re.compile(r"extra_forbidden"), UNKNOWN_FIELD),
    (re.compile(r".*too_long"), "too_long"),
    (re.compile(r".*too_short"), "too_short"),
    (re.compile(r"(greater|less)_than.*|finite_number"), "out_of_range"),
    (re.compile(r"enum|literal_error"), "unknown_value"),
    (
        re.compile(r"string_pattern_mismatch|(uuid|datetime|timezone)_.*|value_error"),
        "wrong_format",
    ),
    (re.compile(r".*_(type|parsing|from_float)"), "wrong_type"),
)
"""The validator's words and ours. What is not here is ours already, or needs no other word."""


def request_id() -> str:
    """The id of this request, in its answer's header, its problem document and the logs."""
    if "request_id" not in g:
        g.request_id = str(new_id())
    return cast(str, g.request_id)


def install(app: Quart) -> None:
    """Give an application the request id, the access line, and problems for every error."""
    # An address has one spelling: another one is a problem, not a redirect with a page.
    app.url_map.merge_slashes = False

    @app.before_request
    async def begin() -> None:
        # The server gives each request a context of its own, so nothing of another is in it.
        g.began = perf_counter()
        structlog.contextvars.bind_contextvars(request_id=request_id())

    @app.after_request
    async def finish(response: Response) -> Response:
        response.timeout = None  # the server bounds how long a peer may take to read
        response.headers.add("Request-Id", request_id())
        response.headers.add("X-Content-Type-Options", "nosniff")
        if "Cache-Control" not in response.headers:
            response.headers.add("Cache-Control", "no-store")
        _log_access(response.status_code)
        return response

    app.register_error_handler(ServiceError, problem)
    app.register_error_handler(HTTPException, _from_framework)
    app.register_error_handler(Exception, _from_nowhere)


def _log_access(status: int) -> None:
    """One line a request: the route and never the path or the query, which may hold anything."""
    log.info(
        "request",
        method=request.method,
        route=request.url_rule.rule if request.url_rule else None,
        status=status,
        ms=round((perf_counter() - g.began) * 1000, 1),
    )


async def problem(error: ServiceError) -> Response:
    """Render an error as a problem document."""
    document = problem_document(error, instance=quote(request.path), request_id=request_id())
    headers = dict(error.headers)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(orjson.dumps(document), error.status, headers, PROBLEM)


def problem_document(error: ServiceError, *, instance: str, request_id: str) -> dict[str, Any]:
    """What is told of an error; `instance` is the path it happened at, percent-encoded."""
    return {
        "type": f"/problems/{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": instance,
        "code": error.code,
        **error.members,
        "retryable": error.retryable,
        "request_id": request_id,
        "errors": [_shown(item) for item in error.errors],
    }


def _shown(item: FieldError) -> dict[str, str]:
    return {"pointer": item.pointer, "code": item.code, "detail": item.detail}


def refused_body(error: ValidationError) -> ServiceError:
    """What is wrong with a body: no JSON, or JSON with wrong values, each named by its pointer."""
    items = error.errors(include_url=False, include_input=False)
    if items[0]["type"] != "json_invalid":
        return ValidationFailed(errors=wrong_fields(items, pointer))
    reason = str(items[0].get("ctx", {}).get("error", ""))
    if "hex escape" in reason:
        # JSON's grammar lets half a character pass, and no text can hold it.
        return ValidationFailed(errors=[FieldError("", "lone_surrogate", reason)])
    return MalformedBody(reason)


def wrong_fields(
    items: Iterable[ErrorDetails], name: Callable[[ErrorDetails], str]
) -> list[FieldError]:
    """The validator's findings in our words; not more than a reader can use."""
    found = list(items)[:ERRORS_AT_MOST]
    return [FieldError(name(item), _code(item["type"]), item["msg"]) for item in found]


def _code(kind: str) -> str:
    return next((code for pattern, code in _CODES if pattern.fullmatch(kind)), kind)


def pointer(item: ErrorDetails) -> str:
    """Where in the body something is wrong (RFC 6901); the empty pointer is the whole body."""
    parts = (str(part) for part in item["loc"] if part != "[key]")
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in parts)


FRAMEWORK: Final[Mapping[int, type[ServiceError]]] = {
    400: BadRequest,
    404: NotFound,
    405: MethodNotAllowed,
    408: BodyTimeout,
    413: BodyTooLarge,
    415: UnsupportedMediaType,
}


async def _from_framework(error: HTTPException) -> Response:
    """The framework's own errors, in our form."""
    kind = FRAMEWORK.get(error.code or 500, InternalError)
    methods = getattr(error, "valid_methods", None)
    headers = {"Allow": ", ".join(sorted(methods))} if methods else {}
    return await problem(kind(headers=headers))


async def _from_nowhere(error: Exception) -> Response:
    log.exception("request failed", error=type(error).__name__)
    return await problem(InternalError())
