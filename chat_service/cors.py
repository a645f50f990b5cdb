"""Which pages of other sites may call which addresses, and read the answers (Fetch standard, 3.3).

Those of the origins that inboxes list, and only what a widget needs: routes that serve customers.
Never every origin, never with cookies, and nothing that a member of staff was answered. Leaves which
origins those are to `origins`, and whether a customer may speak from one to `web.caller`.
"""

from typing import Final

from quart import Quart, Response, g, request
from werkzeug.exceptions import HTTPException

from chat_service.auth import Caller
from chat_service.errors import ServiceError
from chat_service.transport import IDEMPOTENCY_KEY, IF_MATCH, IF_NONE_MATCH, LAST_EVENT_ID
from chat_service.web import documented, shared

ALLOWED: Final = ", ".join(
    [
        "Authorization",
        "Content-Type",
        *(header.name for header in (IDEMPOTENCY_KEY, IF_MATCH, IF_NONE_MATCH, LAST_EVENT_ID)),
    ]
)
"""Headers that a page may send."""
EXPOSED: Final = "Request-Id, ETag, Retry-After, RateLimit, RateLimit-Policy"
"""Headers that a page may read."""
PREFLIGHT_SECONDS: Final = 600
WANTED: Final = "Access-Control-Request-Method"


def install(app: Quart) -> None:
    """Let pages of inboxes read what is for them. A preflight needs no token."""

    @app.after_request
    async def share(response: Response) -> Response:
        endpoint = _endpoint(app)
        if endpoint is None or not documented(app.view_functions[endpoint]).pages:
            return response
        response.headers.add("Vary", "Origin")
        origin = request.headers.get("Origin")
        if origin is not None and not _is_staff() and await _is_listed(origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            _tell(response)
        return response


def _endpoint(app: Quart) -> str | None:
    """The route of this request, or the one that a preflight asks about; None where there is none."""
    if request.method != "OPTIONS":
        return request.endpoint
    adapter, wanted = app.create_url_adapter(request), request.headers.get(WANTED)
    if adapter is None or not wanted:
        return None
    try:
        endpoint, _ = adapter.match(method=wanted)
    except HTTPException:
        return None
    return str(endpoint)


def _is_staff() -> bool:
    caller: Caller | None = g.get("caller")
    return caller is not None and not caller.is_customer


async def _is_listed(origin: str) -> bool:
    try:
        return await shared().site.origins.listed(origin)
    except ServiceError:
        return False  # Without a database nobody is known.


def _tell(response: Response) -> None:
    if request.method != "OPTIONS":
        response.headers["Access-Control-Expose-Headers"] = EXPOSED
        return
    response.headers["Access-Control-Allow-Methods"] = request.headers[WANTED]
    response.headers["Access-Control-Allow-Headers"] = ALLOWED
    response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
