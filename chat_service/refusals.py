"""A refusal in words: problem documents (RFC 9457), and wrong fields as we call them. Pure.

Owns the words of wrong fields, which are ours and not the validator's, for requests and for frames.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from chat_service.errors import FieldError, MalformedBody, ServiceError, ValidationFailed

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


def refused_body(error: ValidationError, *, tagged: bool = False) -> ServiceError:
    """What is wrong with a body: no JSON, or JSON with wrong values, each named by its pointer.

    Where it is `tagged`, the validator chose one model of several, and tells which before the place.
    """
    items = error.errors(include_url=False, include_input=False)
    if items[0]["type"] != "json_invalid":
        begin = 1 if tagged else 0
        return ValidationFailed(
            errors=wrong_fields(items, lambda item: _pointer(item["loc"][begin:]))
        )
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


def _pointer(place: Iterable[int | str]) -> str:
    """Where in the body something is wrong (RFC 6901); the empty pointer is the whole body."""
    parts = (str(part) for part in place if part != "[key]")
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in parts)
