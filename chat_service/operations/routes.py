"""Health, documents, problem pages, and the start page of development."""

from typing import Final

from pydantic import Field
from quart import Blueprint, Response, current_app

from chat_service.errors import NotFound, Unavailable
from chat_service.events.transaction import reading
from chat_service.model.migrations import is_current
from chat_service.operations.openapi import build_document
from chat_service.operations.pages import CSP, PROBLEMS, docs_page, problem_page, start_page
from chat_service.transport import Query
from chat_service.transport import Response as Document
from chat_service.web import JSON, Who, answer, document, query, shared

blueprint = Blueprint("operations", __name__)
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
@document(Who.PUBLIC, answers={200: Health}, errors=[Unavailable])
async def ready() -> Response:
    """Whether requests may be sent here: the database answers, its schema fits, no drain goes on."""
    query(Query)
    if shared().drain.draining:
        raise Unavailable("The service is shutting down")
    async with reading() as db:
        if not await is_current(db):
            raise Unavailable("The database has another schema; run: chat-service migrate")
    return answer(Health(status="ok"))


@blueprint.get("/openapi.json")
@document(Who.PUBLIC, answers={200: None})
async def openapi() -> Response:
    """The API's document."""
    extensions = current_app.extensions
    if OPENAPI not in extensions:
        app = current_app._get_current_object()  # type: ignore[attr-defined]
        extensions[OPENAPI] = current_app.json.dumps(build_document(app))
    return Response(extensions[OPENAPI], 200, content_type=JSON)


@blueprint.get("/docs")
@document(Who.PUBLIC, answers={200: None})
async def docs() -> Response:
    """The API, to read and to try out."""
    return _html(docs_page())


@blueprint.get("/problems/<code>")
@document(Who.PUBLIC, answers={200: None}, errors=[NotFound])
async def explain_problem(code: str) -> Response:
    """What a problem means."""
    if code not in PROBLEMS:
        raise NotFound()
    return _html(problem_page(PROBLEMS[code]))


@blueprint.get("/")
@document(Who.PUBLIC, answers={200: None}, errors=[NotFound])
async def start() -> Response:
    """In development, where to look; else there is nothing here."""
    if not shared().development:
        raise NotFound()
    return _html(start_page())


def _html(text: str) -> Response:
    return Response(text, 200, {"Content-Security-Policy": CSP}, "text/html")
