"""The workspace's whole log as JSON pages, for integrators."""

from quart import Blueprint, Response

from chat_service.auth import require
from chat_service.events.transaction import reading
from chat_service.schema import Cursor, Permission
from chat_service.views.paging import CURSOR_ERRORS, page
from chat_service.views.rendering import workspace_stream
from chat_service.views.transport import EventPage, EventsQuery
from chat_service.web import Who, answer, caller, document, query

blueprint = Blueprint("events", __name__, url_prefix="/v1")


@blueprint.get("/events")
@document(Who.KEY, query=EventsQuery, answers={200: EventPage}, errors=CURSOR_ERRORS)
async def list_events() -> Response:
    """Read the workspace's log on from a cursor: everything that happened, for integrators."""
    wanted, who = query(EventsQuery), await caller()
    require(who, Permission.SESSIONS_READ_ALL)
    stream = workspace_stream(who.workspace_id)
    after = stream.parse(wanted.after) if wanted.after is not None else Cursor(stream.kind, 0, None)
    types = set(wanted.types.split(",")) if wanted.types else None
    async with reading() as db:
        return answer(await page(db, who, stream, after, limit=wanted.limit, types=types))
