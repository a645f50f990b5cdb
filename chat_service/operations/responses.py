"""What an operation may answer, for the API's document: its own answers and every problem.

Owns which problems come with which kind of route. Each problem is an example under its code, so the
codes of an operation can be read by programs too.
"""

from collections.abc import Iterable
from typing import Any, Final

from chat_service.errors import (
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    DatabaseUnavailable,
    FieldError,
    Forbidden,
    InternalError,
    InvalidParameter,
    MalformedBody,
    Misdirected,
    NotAcceptable,
    OriginNotAllowed,
    RateLimited,
    ServiceError,
    StorageFull,
    TooManyTries,
    Unauthenticated,
    UnknownParameter,
    UnsupportedMediaType,
    ValidationFailed,
    every_error,
)
from chat_service.problems import PROBLEM
from chat_service.refusals import problem_document
from chat_service.transport import (
    AN_ID,
    ETAG,
    IF_NONE_MATCH,
    LOCATION,
    RATE_LIMIT,
    RATE_LIMIT_POLICY,
    REPLAYED,
    REQUEST_ID,
    RETRY_AFTER,
    SET_COOKIE,
    WWW_AUTHENTICATE,
    Header,
)
from chat_service.web import EVENT_STREAM, Documented, Who

GIVEN: Final = (
    REQUEST_ID,
    ETAG,
    LOCATION,
    REPLAYED,
    RETRY_AFTER,
    SET_COOKIE,
    WWW_AUTHENTICATE,
    RATE_LIMIT_POLICY,
    RATE_LIMIT,
)
LIMITED: Final = (RATE_LIMIT_POLICY, RATE_LIMIT)
SOMETIMES: Final = (REPLAYED, SET_COOKIE)
WITH_PROBLEMS: Final = {
    401: WWW_AUTHENTICATE,
    412: ETAG,
    429: RETRY_AFTER,
    503: RETRY_AFTER,
    507: RETRY_AFTER,
}
READS: Final = {"get", "head"}
SESSION: Final = f"/v1/sessions/{AN_ID}"
EVENTS: Final = "#/components/schemas/EventStream"
FIELD: Final = FieldError("/content/text", "too_long", "must have at most 16384 bytes in UTF-8")


def of(method: str, operation: dict[str, Any], about: Documented) -> dict[str, Any]:
    """All responses of an operation by status; `operation` has those with a body already."""
    found = {str(status): answer for status, answer in operation["responses"].items()}
    for status, model in about.answers.items():
        if model is None:
            found[str(status)] = {"description": "Done."}
    if about.streams:
        found["200"].setdefault("content", {})[EVENT_STREAM] = {"schema": {"$ref": EVENTS}}
    if IF_NONE_MATCH in about.takes:
        found["304"] = {"description": "Nothing has changed since the version the caller has."}
    limited = LIMITED if _is_limited(about) else ()
    for answer in found.values():
        answer["headers"] = _references([REQUEST_ID, *about.gives, *limited])
    problems = _problems([*about.errors, *_usual(method, operation, about)])
    if _is_limited(about) or TooManyTries in about.errors:
        problems["429"]["headers"] |= _references(LIMITED)
    return dict(sorted((found | problems).items()))


def _is_limited(about: Documented) -> bool:
    """Whether callers may ask only so often: all are counted who have a token of the API, and else where
    the route says so."""
    return about.limit is not None or not (Who.PUBLIC | Who.PLATFORM) & about.who


def _usual(method: str, operation: dict[str, Any], about: Documented) -> list[type[ServiceError]]:
    """What any route of this kind may answer."""
    errors: list[type[ServiceError]] = [
        BadRequest,
        UnknownParameter,
        InvalidParameter,
        NotAcceptable,
        Misdirected,
        InternalError,
    ]
    if _is_limited(about):
        errors.append(RateLimited)
    if Who.PUBLIC not in about.who:
        errors += [Unauthenticated, Forbidden, DatabaseUnavailable]
    if "requestBody" in operation:
        errors += [
            MalformedBody,
            BodyTimeout,
            BodyTooLarge,
            UnsupportedMediaType,
            ValidationFailed,
        ]
    if about.who & Who.CUSTOMER or method not in READS and Who.AGENT in about.who:
        errors.append(OriginNotAllowed)
    if method not in READS:
        errors += [DatabaseUnavailable, StorageFull]
    return errors


def _problems(errors: Iterable[type[ServiceError]]) -> dict[str, Any]:
    """Problem responses by status, each with the codes it may carry."""
    by_status: dict[int, set[type[ServiceError]]] = {}
    for error in errors:
        by_status.setdefault(error.status, set()).add(error)
    return {str(status): _problem(status, found) for status, found in by_status.items()}


def _problem(status: int, errors: set[type[ServiceError]]) -> dict[str, Any]:
    ordered = sorted(errors, key=lambda error: error.code)
    headers = [REQUEST_ID, *([WITH_PROBLEMS[status]] if status in WITH_PROBLEMS else [])]
    media = {
        "schema": {"$ref": "#/components/schemas/Problem"},
        "examples": {
            error.code: {"$ref": f"#/components/examples/{error.code}"} for error in ordered
        },
    }
    return {
        "description": "; ".join(f"`{error.code}`: {error.title}" for error in ordered),
        "headers": _references(headers),
        "content": {PROBLEM: media},
    }


def _references(headers: Iterable[Header]) -> dict[str, Any]:
    return {one.name: {"$ref": f"#/components/headers/{one.name}"} for one in headers}


def headers() -> dict[str, Any]:
    """The headers of answers; most are always there."""
    return {
        one.name: {"required": one not in SOMETIMES, "example": one.example} | described(one)
        for one in GIVEN
    }


def described(header: Header) -> dict[str, Any]:
    """What headers of requests and answers have in common."""
    schema = {"type": "string"} | ({"pattern": header.pattern} if header.pattern else {})
    return {"description": header.description, "schema": schema}


def examples() -> dict[str, Any]:
    """Each problem under its code."""
    found = sorted(every_error(), key=lambda error: error.code)
    return {error.code: {"summary": error.title, "value": _example(error)} for error in found}


def _example(error: type[ServiceError]) -> dict[str, Any]:
    errors = [FIELD] if issubclass(error, ValidationFailed) else []
    raised = error(errors=errors, **error.example)
    return problem_document(raised, instance=SESSION, request_id=AN_ID)
