"""Every error as a problem response (RFC 9457), and what every answer has: its id and its log line.

Owns the ways from an error to a response. Leaves what went wrong to `errors`, its words to `refusals`,
the pages behind `type` to `operations`, which headers keep an answer safe to `headers`.
"""

from collections.abc import Mapping
from time import perf_counter
from typing import Final, cast
from urllib.parse import quote

import orjson
import structlog
from quart import Quart, Response, g, request
from werkzeug.exceptions import HTTPException

from chat_service import metrics
from chat_service.audit import services as audit
from chat_service.errors import (
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    InternalError,
    MethodNotAllowed,
    NotFound,
    ServiceError,
    UnsupportedMediaType,
)
from chat_service.headers import headers_of, kind_of
from chat_service.limits.policies import fields
from chat_service.origins import Origins
from chat_service.refusals import problem_document
from chat_service.schema import new_id

log = structlog.get_logger(__name__)
PROBLEM: Final = "application/problem+json"


def request_id() -> str:
    """The id of this request, in its answer's header, its problem document and the logs."""
    if "request_id" not in g:
        g.request_id = str(new_id())
    return cast(str, g.request_id)


def install(app: Quart, origins: Origins) -> None:
    """Give an application the request id, safe headers, the access line, and problems for errors."""
    # An address has one spelling: another one is a problem, not a redirect with a page.
    app.url_map.merge_slashes = False

    @app.before_request
    async def begin() -> None:
        # The server gives each request a context of its own, so nothing of another is in it.
        g.began = perf_counter()
        structlog.contextvars.bind_contextvars(request_id=request_id())
        audit.came_from(request.remote_addr, request_id())

    @app.after_request
    async def finish(response: Response) -> Response:
        response.timeout = None  # the server bounds how long a peer may take to read
        if "taken" in g and response.status_code != 429:  # which says by itself what is left
            for name, value in fields(g.taken).items():
                response.headers.add(name, value)
        response.headers.add("Request-Id", request_id())
        kind = kind_of(response.content_type)
        for name, value in headers_of(kind, secure=origins.are_secure(request.scheme)):
            response.headers.setdefault(name, value)
        _note(response.status_code)
        return response

    app.register_error_handler(ServiceError, problem)
    app.register_error_handler(HTTPException, _from_framework)
    app.register_error_handler(Exception, _from_nowhere)


def _note(status: int) -> None:
    """One line a request: the route and never the path or the query, which may hold anything."""
    seconds = perf_counter() - g.began
    method, route = request.method, request.url_rule.rule if request.url_rule else None
    metrics.count_request(route, method, status, seconds)
    log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1))


async def problem(error: ServiceError) -> Response:
    """Render an error as a problem document."""
    document = problem_document(error, instance=quote(request.path), request_id=request_id())
    headers = dict(error.headers)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(orjson.dumps(document), error.status, headers, PROBLEM)


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
