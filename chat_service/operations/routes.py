"""Health, figures, the API's document, problem pages, static files, and the start page of development."""

from functools import cache
from typing import Final

import orjson
from pydantic import Field
from quart import Blueprint, Response, current_app

from chat_service import metrics
from chat_service.errors import DatabaseUnavailable, NotFound, Unauthenticated, Unavailable
from chat_service.events.transaction import reading
from chat_service.headers import POLICIES, POLICY, Kind
from chat_service.model.migrations import is_current
from chat_service.operations import pages
from chat_service.operations.assets import Asset, asset_of, send, static_files
from chat_service.operations.asyncapi import build_asyncapi
from chat_service.operations.figures import read_figures, require_reader
from chat_service.operations.openapi import build_document
from chat_service.operations.security import security_text
from chat_service.transport import Query
from chat_service.transport import Response as Document
from chat_service.web import JSON, Who, answer, document, now, query, shared

blueprint = Blueprint("operations", __name__)
HTML: Final = "text/html"
PLAIN: Final = "text/plain"
ANYTHING: Final = "*/*"
OPENAPI: Final = "openapi document"


class Health(Document):
    """The process is alive. It tells no version to strangers."""

    status: str = Field(examples=["ok"])


@blueprint.get("/health")
@document(Who.PUBLIC, answers={200: Health})
async def health() -> Response:
    """Whether the process is alive."""
    query(Query)
    return answer(Health(status="ok"))


@blueprint.get("/health/live")
@document(Who.PUBLIC, answers={200: Health})
async def live() -> Response:
    """Whether the process is alive; the same as `/health`."""
    query(Query)
    return answer(Health(status="ok"))


@blueprint.get("/health/ready")
@document(Who.PUBLIC, answers={200: Health}, errors=[Unavailable, DatabaseUnavailable])
async def ready() -> Response:
    """Whether requests may be sent here: the database answers, its schema fits, no drain goes on."""
    query(Query)
    if shared().drain.draining:
        raise Unavailable("The service is shutting down")
    async with reading() as db:
        if not await is_current(db):
            raise Unavailable("The database has another schema; run: chat-service migrate")
    return answer(Health(status="ok"))


@blueprint.get("/metrics")
@document(Who.PUBLIC, answers={200: None}, errors=[NotFound, Unauthenticated])
async def show_figures() -> Response:
    """The figures of all workers for Prometheus, to whoever shows `server.metrics_token`."""
    # Whichever version of whichever format a scraper asks for, it also reads this one.
    query(Query, gives=ANYTHING)
    require_reader()
    return Response(await read_figures(), content_type=metrics.CONTENT_TYPE)


@blueprint.get("/openapi.json")
@document(Who.PUBLIC, answers={200: None})
async def openapi() -> Response:
    """The API's document."""
    query(Query)
    extensions = current_app.extensions
    if OPENAPI not in extensions:
        app = current_app._get_current_object()  # type: ignore[attr-defined]
        extensions[OPENAPI] = asset_of(orjson.dumps(build_document(app)), JSON)
    return await send(extensions[OPENAPI])


@blueprint.get("/asyncapi.json")
@document(Who.PUBLIC, answers={200: None})
async def asyncapi() -> Response:
    """The live protocol's document."""
    query(Query)
    return await send(_asyncapi())


@cache
def _asyncapi() -> Asset:
    return asset_of(orjson.dumps(build_asyncapi()), JSON)


@blueprint.get("/.well-known/security.txt")
@document(Who.PUBLIC, answers={200: None}, errors=[NotFound])
async def security_txt() -> Response:
    """Where to report a weakness (RFC 9116); without `security.contact` there is no such address."""
    query(Query, gives=PLAIN)
    text = security_text(
        shared().security_contact, shared().site.origins.public_url, today=now().date()
    )
    if text is None:
        raise NotFound()
    return Response(text, 200, content_type=f"{PLAIN}; charset=utf-8")


@blueprint.get("/static/<path:name>")
@document(Who.PUBLIC, answers={200: None}, errors=[NotFound])
async def static_file(name: str) -> Response:
    """A file that the service's own pages load."""
    if name not in static_files():
        raise NotFound()
    asset = static_files()[name]
    query(Query, gives=asset.media_type)
    return await send(asset)


@blueprint.get("/docs")
@document(Who.PUBLIC, answers={200: None})
async def docs() -> Response:
    """The API, to read and to try out."""
    query(Query, gives=HTML)
    return _page(pages.docs_page(), Kind.DOCS)


@blueprint.get("/problems")
@document(Who.PUBLIC, answers={200: None})
async def list_problems() -> Response:
    """All problems."""
    query(Query, gives=HTML)
    return _page(pages.problems_page())


@blueprint.get("/problems/<code>")
@document(Who.PUBLIC, answers={200: None}, errors=[NotFound])
async def explain_problem(code: str) -> Response:
    """What a problem means."""
    query(Query, gives=HTML)
    if code not in pages.PROBLEMS:
        raise NotFound()
    return _page(pages.problem_page(pages.PROBLEMS[code]))


@blueprint.get("/")
@document(Who.PUBLIC, answers={200: None}, errors=[NotFound])
async def start() -> Response:
    """In development, where to look; else there is nothing here."""
    query(Query, gives=HTML)
    if not shared().development:
        raise NotFound()
    return _page(pages.start_page())


def _page(text: str, kind: Kind = Kind.PAGE) -> Response:
    return Response(text, 200, {POLICY: POLICIES[kind]}, HTML)
