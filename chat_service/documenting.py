"""What a route says of itself: whom it serves, what it takes and what it answers.

Owns the words; the check of callers in `web`, the sharing in `cors` and the API's document in
`operations` go by them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Flag, auto
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel
from quart_schema import document_querystring, document_request, document_response

from chat_service.errors import ServiceError
from chat_service.limits.policies import Policy
from chat_service.transport import Header, Query, Request

DOCUMENTED: Final = "_documented"
Route = TypeVar("Route", bound=Callable[..., Any])


class Who(Flag):
    """Whom a route serves."""

    PUBLIC = auto()
    CUSTOMER = auto()
    AGENT = auto()
    KEY = auto()
    PLATFORM = auto()
    """Whoever runs the installation, by the token of the configuration."""


@dataclass(frozen=True)
class Documented:
    """What a route says of itself, for its check of callers and for the API's document."""

    who: Who
    answers: Mapping[int, type[BaseModel] | None]
    errors: Sequence[type[ServiceError]]
    takes: Sequence[Header]
    gives: Sequence[Header]
    streams: bool
    pages: bool
    """Whether pages of other sites may call it, those of an inbox's origins."""
    limit: Policy | None


def document(
    who: Who,
    *,
    body: type[Request] | None = None,
    query: type[Query] | None = None,
    answers: Mapping[int, type[BaseModel] | None],
    errors: Sequence[type[ServiceError]] = (),
    takes: Sequence[Header] = (),
    gives: Sequence[Header] = (),
    streams: bool = False,
    pages: bool = False,
    limit: Policy | None = None,
) -> Callable[[Route], Route]:
    """Say whom a route serves, what it takes and what it answers; None stands for no body.

    `takes` are headers of the request, `gives` those of its good answers. One that `streams` gives
    server-sent events where they are asked for; one for `pages` is called by those of other sites,
    as all that serve customers are. Each caller is counted by `limit`, else as any read or write is; a
    public route has to see to that itself. What every route of its kind may answer (401, 415, 422,
    503 …) need not be listed among `errors`.
    """

    open_to_pages = pages or Who.CUSTOMER in who

    def decorate(route: Route) -> Route:
        setattr(
            route,
            DOCUMENTED,
            Documented(who, answers, errors, takes, gives, streams, open_to_pages, limit),
        )
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
