"""What happens, as it happens: JSON pages, long-poll, or server-sent events, by what is accepted.

Of one session its events, and of the sessions of a view which have changed.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final
from uuid import UUID

from quart import Blueprint, Response, request

from chat_service.auth import Caller
from chat_service.errors import (
    CursorAhead,
    CursorExpired,
    CursorMismatch,
    InvalidParameter,
    NotFound,
    ServiceError,
    Unauthenticated,
    UpgradeRequired,
)
from chat_service.events.feed import Reset
from chat_service.events.transaction import reading
from chat_service.limits.policies import Policy
from chat_service.realtime.changes import Changes
from chat_service.realtime.peer import Door
from chat_service.realtime.state_frames import SetTyping
from chat_service.realtime.streams import EventStream, probe, wait_for_events
from chat_service.realtime.transport import ChangesPage, ChangesQuery
from chat_service.requests import at_end
from chat_service.schema import Cursor, SessionId
from chat_service.sessions import queries as sessions
from chat_service.transport import LAST_EVENT_ID, Query
from chat_service.views.paging import CURSOR_ERRORS, page
from chat_service.views.rendering import session_stream, workspace_stream
from chat_service.views.transport import EventPage, SessionEventsQuery
from chat_service.web import (
    EVENT_STREAM,
    JSON,
    Who,
    answer,
    bearer,
    caller,
    document,
    parse,
    prefers,
    query,
    shared,
)

blueprint = Blueprint("realtime", __name__, url_prefix="/v1")
LONGEST_WAIT_SECONDS: Final = 25.0
REFUSALS: Final[dict[Reset, type[ServiceError]]] = {
    Reset.CURSOR_AHEAD: CursorAhead,
    Reset.CURSOR_MISMATCH: CursorMismatch,
    Reset.CURSOR_EXPIRED: CursorExpired,
}


@blueprint.get("/sessions/<uuid:session_id>/events")
@document(
    Who.CUSTOMER | Who.AGENT | Who.KEY,
    query=SessionEventsQuery,
    answers={200: EventPage},
    errors=[NotFound, *CURSOR_ERRORS],
    takes=[LAST_EVENT_ID],
    streams=True,
)
async def list_session_events(session_id: UUID) -> Response:
    """Read a session's log on from a cursor; customers see public events in their own numbering.

    With `wait` the answer comes when something happens, and with `Accept: text/event-stream` it
    does not end.
    """
    streams = prefers(EVENT_STREAM, JSON)
    wanted = query(SessionEventsQuery, gives=EVENT_STREAM if streams else JSON)
    who = await caller()
    if wanted.after is not None and wanted.after_seq is not None:
        raise InvalidParameter("Only one of after, after_seq may be given")
    log = session_stream(who, SessionId(session_id))
    given = request.headers.get(LAST_EVENT_ID.name, wanted.after)
    after = Cursor(log.kind, wanted.after_seq or 0, None) if given is None else log.parse(given)
    async with reading() as db:
        await sessions.access(db, who, session_id)
        first = None if streams else await page(db, who, log, after, limit=wanted.limit)
    if first is None:
        return await _stream(who, SessionId(session_id), after)
    if first.data or not wanted.wait:
        return answer(first)
    seconds = min(wanted.wait, LONGEST_WAIT_SECONDS)
    await wait_for_events(shared().hub, who, SessionId(session_id), after, seconds=seconds)
    who = await caller()  # The wait is long enough to lose a token, or to be given other rights.
    async with reading() as db:
        await sessions.access(db, who, session_id)
        return answer(await page(db, who, log, after, limit=wanted.limit))


@blueprint.post("/sessions/<uuid:session_id>/typing")
@document(
    Who.CUSTOMER | Who.AGENT | Who.KEY,
    body=SetTyping,
    answers={202: None},
    errors=[NotFound],
    limit=Policy.TYPING,
)
async def set_typing(session_id: UUID) -> Response:
    """Tell the others in a session that the caller types, or has stopped.

    Repeat it every 3 seconds: it is forgotten after 6. It is told at most once and never stored.
    """
    body, who = await parse(SetTyping), await caller()
    await shared().states.type(
        who, SessionId(session_id), body.visibility, is_typing=body.is_typing
    )
    return answer(None, 202)


@blueprint.get("/realtime")
@document(Who.PUBLIC, answers={200: None}, errors=[UpgradeRequired], streams=True)
async def realtime() -> Response:
    """The address of the WebSocket. Without the upgrade it tells what of it arrived, for `doctor`.

    As `text/event-stream` it gives three events half a second apart, which show whether something
    on the way holds them back.
    """
    if prefers(EVENT_STREAM, JSON):
        query(Query, gives=EVENT_STREAM)
        return _streamed(probe())
    query(Query)
    arrived = {name: request.headers.get(name, "") for name in ("Upgrade", "Connection", "Via")}
    raise UpgradeRequired(arrived=arrived)


async def _stream(who: Caller, session_id: SessionId, after: Cursor) -> Response:
    """Server-sent events from a cursor on; what is wrong with it is told before the stream begins."""
    stream = EventStream(shared().hub, shared().states, who, session_id)
    at_end(stream.close)
    reason = await stream.attach(after)
    if reason is not None:
        raise REFUSALS[reason]()
    return _streamed(stream.chunks(_still(who)))


def _still(who: Caller) -> Callable[[], Awaitable[bool]]:
    """Asks whether the token of this request still stands for the same caller, with the same rights."""
    authenticator, token = shared().authenticator, bearer()

    async def ask() -> bool:
        try:
            found: Caller = await authenticator.authenticate(token)
        except Unauthenticated:
            return False
        return found == who

    return ask


def _streamed(chunks: AsyncIterator[bytes]) -> Response:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    response = Response(chunks, 200, headers, EVENT_STREAM)
    response.timeout = None
    return response


@blueprint.get("/sessions/changes")
@document(
    Who.AGENT | Who.KEY,
    query=ChangesQuery,
    answers={200: ChangesPage},
    errors=CURSOR_ERRORS,
    takes=[LAST_EVENT_ID],
    streams=True,
)
async def list_session_changes() -> Response:
    """Read what has changed in a view of the sessions that are not closed, on from a cursor.

    With `wait` the answer comes when something changes, and with `Accept: text/event-stream` it does
    not end. On 409 and 410 list the sessions again.
    """
    streams = prefers(EVENT_STREAM, JSON)
    wanted = query(ChangesQuery, gives=EVENT_STREAM if streams else JSON)
    who = await caller()
    log = workspace_stream(who.workspace_id)
    given = request.headers.get(LAST_EVENT_ID.name, wanted.after)
    after = Cursor(log.kind, 0, None) if given is None else log.parse(given)
    door = Door.STREAM if streams else Door.POLL
    changes = Changes(shared().hub, who, wanted.view, after, limit=wanted.limit, door=door)
    if streams:
        at_end(changes.leave)
        await changes.enter()
        return _streamed(changes.chunks(await changes.read(), _still(who)))
    if not wanted.wait:
        return answer(await changes.read())
    try:
        await changes.enter()
        page = await changes.wait(min(wanted.wait, LONGEST_WAIT_SECONDS))
    finally:
        changes.leave()
    if await caller() != who:
        raise CursorExpired("Your own rights have changed")
    return answer(page)
