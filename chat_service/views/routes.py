"""Pages of the log as JSON: of a session, and of the whole workspace for integrators."""

from uuid import UUID

from quart import Blueprint, Response
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.auth import Caller, require
from chat_service.errors import (
    CursorAhead,
    CursorExpired,
    CursorInvalid,
    CursorMismatch,
    InvalidParameter,
    NotFound,
)
from chat_service.events import log
from chat_service.events.log import Stream
from chat_service.events.transaction import reading
from chat_service.schema import Cursor, Permission, SessionId
from chat_service.sessions import queries as sessions
from chat_service.views.rendering import render, session_stream, workspace_stream
from chat_service.views.transport import EVENTS_AT_MOST, EventPage, EventsQuery, SessionEventsQuery
from chat_service.web import Who, answer, caller, document, query

blueprint = Blueprint("events", __name__, url_prefix="/v1")
CURSOR_ERRORS = [CursorInvalid, CursorExpired, CursorMismatch, CursorAhead]


@blueprint.get("/sessions/<uuid:session_id>/events")
@document(
    Who.CUSTOMER | Who.AGENT | Who.KEY,
    query=SessionEventsQuery,
    answers={200: EventPage},
    errors=[NotFound, *CURSOR_ERRORS],
)
async def list_session_events(session_id: UUID) -> Response:
    """Read a session's log on from a cursor; customers see public events in their own numbering."""
    wanted, who = query(SessionEventsQuery), await caller()
    if wanted.after is not None and wanted.after_seq is not None:
        raise InvalidParameter("Only one of after, after_seq may be given")
    stream = session_stream(who, SessionId(session_id))
    after = Cursor(stream.kind, wanted.after_seq or 0, None)
    if wanted.after is not None:
        after = stream.parse(wanted.after)
    async with reading() as db:
        await sessions.access(db, who, session_id)
        return answer(await _page(db, who, stream, after, limit=wanted.limit))


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
        return answer(await _page(db, who, stream, after, limit=wanted.limit, types=types))


async def _page(
    db: AsyncSession,
    who: Caller,
    stream: Stream,
    after: Cursor,
    *,
    limit: int,
    types: set[str] | None = None,
) -> EventPage:
    """One page. Events of other types are left out, and move the cursor all the same."""
    limit = min(limit, EVENTS_AT_MOST)
    rows = await log.read(db, stream, after, limit=limit + 1)
    page = rows[:limit]
    end = str(after)
    if page:
        last = page[-1]
        end = str(stream.cursor(getattr(last, str(stream.number.key)), last.id))
    elif after.fence is None and after.position:
        end = str(await log.head(db, stream))
    wanted = [row for row in page if types is None or row.type in types]
    data = await render(db, who, stream, wanted)
    return EventPage(data=data, next_cursor=end, has_more=len(rows) > limit)
