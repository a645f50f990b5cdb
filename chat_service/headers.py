"""What every answer tells a browser for the sake of safety, by its kind: one table. Pure.

An answer of the API is data and nothing else, so whoever opens it as a page gets one without
scripts, frames and forms. Leaves which page is of which kind to `operations`, and what pages of
other sites may read to `cors`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What an answer is."""

    API = "api"
    PROBLEM = "problem"
    EVENTS = "events"
    PAGE = "page"
    DOCS = "docs"
    DEMO = "demo"
    ASSET = "asset"


Headers = tuple[tuple[str, str], ...]
POLICY: Final = "Content-Security-Policy"
_NOTHING: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_DATA: Final = f"{_NOTHING}; sandbox"
_OWN_STYLE: Final = f"{_NOTHING}; style-src 'self'"
_OWN_SCRIPT: Final = f"{_OWN_STYLE}; script-src 'self'; connect-src 'self'"
POLICIES: Final[Mapping[Kind, str]] = {
    Kind.API: _DATA,
    Kind.PROBLEM: _DATA,
    Kind.EVENTS: _DATA,
    Kind.ASSET: _DATA,
    Kind.PAGE: f"{_OWN_STYLE}; img-src 'self'",
    Kind.DOCS: f"{_OWN_SCRIPT}; img-src 'self' data:",
    Kind.DEMO: f"{_OWN_SCRIPT}; img-src 'self'",
}
_ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_ON_PAGES: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "accelerometer=(), camera=(), display-capture=(), geolocation=(), "
    "gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()",
}
_OVER_TLS: Final = {"Strict-Transport-Security": "max-age=63072000; includeSubDomains"}
"""Two years (RFC 6797)."""
_PAGES: Final = (Kind.PAGE, Kind.DOCS, Kind.DEMO)
_TYPES: Final[Mapping[str, Kind]] = {
    "application/problem+json": Kind.PROBLEM,
    "text/event-stream": Kind.EVENTS,
    "text/html": Kind.PAGE,
    "text/css": Kind.ASSET,
    "text/javascript": Kind.ASSET,
    "image/svg+xml": Kind.ASSET,
}


def _table(kind: Kind, *, secure: bool) -> Headers:
    found = {POLICY: POLICIES[kind], **_ALWAYS}
    if kind in _PAGES:
        found |= _ON_PAGES
    return tuple((found | _OVER_TLS if secure else found).items())


_TABLE: Final[Mapping[tuple[Kind, bool], Headers]] = {
    (kind, secure): _table(kind, secure=secure) for kind in Kind for secure in (True, False)
}


def kind_of(content_type: str | None) -> Kind:
    """What an answer of a media type is; one without a body is the API's."""
    media_type, _, _ = (content_type or "").partition(";")
    return _TYPES.get(media_type, Kind.API)


def headers_of(kind: Kind, *, secure: bool) -> Headers:
    """The headers of an answer, but for those that its route has set; `secure` is over TLS."""
    return _TABLE[kind, secure]
