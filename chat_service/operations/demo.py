"""`/demo`, in development: one page with a customer on the left and an agent on the right."""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from quart import Blueprint, Response, request

from chat_service.errors import NotFound
from chat_service.headers import POLICIES, POLICY, Kind
from chat_service.operations import pages
from chat_service.transport import Query
from chat_service.web import Who, answer, document, query, shared

blueprint = Blueprint("demo", __name__)
CREDENTIALS: Final = Path("var/demo.txt")
HERE: Final = ("127.0.0.1", "::1")
NAMES: Final = ("localhost", *HERE)


@blueprint.get("/demo")
@document(Who.PUBLIC, answers={200: None}, errors=[NotFound])
async def demo() -> Response:
    """A customer and an agent beside each other, in development only."""
    query(Query, gives="text/html")
    _require_development()
    return Response(pages.demo_page(), 200, {POLICY: POLICIES[Kind.DEMO]}, "text/html")


@blueprint.get("/demo/credentials.json")
@document(Who.PUBLIC, answers={200: None}, errors=[NotFound])
async def demo_credentials() -> Response:
    """Who plays in the demo: in development, and only for this very machine."""
    query(Query)
    _require_development()
    # A page of somebody else's may have its own name lead to this machine; the name tells it.
    named = urlsplit(f"//{request.host}").hostname
    if request.remote_addr not in HERE or named not in NAMES or not CREDENTIALS.is_file():
        raise NotFound()
    pairs = (line.split(": ", 1) for line in CREDENTIALS.read_text().splitlines())
    return answer(dict(pairs))


def _require_development() -> None:
    if not shared().development:
        raise NotFound()
