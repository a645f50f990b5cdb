"""Read, list and change sessions. Starting one is in `intake`, what is said in `messages`."""

from uuid import UUID

from quart import Blueprint, Response
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import queries as agents
from chat_service.agents.rendering import managed_view
from chat_service.agents.transport import AgentResponse
from chat_service.auth import Caller, require
from chat_service.errors import (
    AlreadyAssigned,
    CursorFilterMismatch,
    CursorInvalid,
    InvalidFilter,
    InvalidMove,
    LastOwner,
    NotFound,
    PreconditionFailed,
    ReadSeqAhead,
    ReopenWindowPassed,
    UnsupportedSort,
)
from chat_service.events import log
from chat_service.events.log import Stream
from chat_service.events.transaction import reading, transaction
from chat_service.limits.policies import Policy
from chat_service.schema import AgentId, CursorKind, Permission
from chat_service.sessions import listing, queries, services, watermarks
from chat_service.sessions.leaving import deactivate
from chat_service.sessions.listing import SessionQuery
from chat_service.sessions.read_states import PutReadState, ReadState, own_state
from chat_service.sessions.rendering import render, render_one
from chat_service.sessions.transport import (
    Assign,
    Close,
    PatchSession,
    SessionPage,
    SessionResponse,
    SessionView,
    session_etag,
)
from chat_service.transport import ETAG, IF_MATCH, IF_NONE_MATCH, Empty, Query
from chat_service.web import Who, answer, caller, check_match, document, now, parse, query, shared

blueprint = Blueprint("sessions", __name__, url_prefix="/v1/sessions")
leaving = Blueprint("leaving", __name__, url_prefix="/v1/agents")
EVERYBODY = Who.CUSTOMER | Who.AGENT | Who.KEY
STAFF = Who.AGENT | Who.KEY


@blueprint.get("")
@document(
    EVERYBODY,
    query=SessionQuery,
    answers={200: SessionPage},
    errors=[InvalidFilter, UnsupportedSort, CursorInvalid, CursorFilterMismatch],
)
async def list_sessions() -> Response:
    """List the sessions the caller may see, newest activity first; customers see their own."""
    wanted, who = query(SessionQuery), await caller()
    feed_cursor = None
    async with reading() as db:
        if not who.is_customer:
            feed = Stream(CursorKind.WORKSPACE, who.workspace_id)
            feed_cursor = str(await log.head(db, feed))
            # Whoever goes on after that cursor hears of no change of his rights before it.
            who = await agents.with_present_rights(db, who)
        rows, links = await listing.page(db, who, wanted)
        data = await render(db, who, rows)
    return answer(SessionPage(data=data, page=links, feed_cursor=feed_cursor))


@blueprint.get("/<uuid:session_id>")
@document(
    EVERYBODY,
    answers={200: SessionResponse},
    errors=[NotFound],
    takes=[IF_NONE_MATCH],
    gives=[ETAG],
)
async def get_session(session_id: UUID) -> Response:
    """Read one session. With `If-None-Match` and nothing changed, 304."""
    query(Query)
    who = await caller()
    async with reading() as db:
        view = await _view(db, who, session_id)
    return _shown(view)


@blueprint.patch("/<uuid:session_id>")
@document(
    STAFF,
    body=PatchSession,
    answers={200: SessionResponse},
    errors=[NotFound, PreconditionFailed],
    takes=[IF_MATCH],
    gives=[ETAG],
)
async def patch_session(session_id: UUID) -> Response:
    """Change subject, team, priority, tags or attributes by JSON Merge Patch (RFC 7396)."""
    body, who = await parse(PatchSession), await caller()
    require(who, Permission.SESSIONS_WRITE)
    async with transaction() as db:
        session = await queries.access(db, who, session_id, lock=True)
        before = await _view(db, who, session_id)
        check_match(session_etag(before), before)
        fields = body.model_dump(exclude_unset=True)
        await services.patch(db, who, session, fields, limits=shared().limits, now=now())
        await db.flush()
        row = (await queries.summaries_by_id(db, who.workspace_id, [session.id]))[session.id]
        view = await render_one(db, who, row)
    return _shown(view)


@blueprint.put("/<uuid:session_id>/read-state")
@document(
    Who.CUSTOMER | Who.AGENT,
    body=PutReadState,
    answers={200: ReadState},
    errors=[NotFound, ReadSeqAhead],
    limit=Policy.MARK,
)
async def put_read_state(session_id: UUID) -> Response:
    """Tell how far the caller has read; marks never go down, and all his devices are told."""
    body, who = await parse(PutReadState), await caller()
    async with transaction() as db:
        session = await queries.access(db, who, session_id)
        mark = await watermarks.mark_of(
            db, who, session, read_seq=body.read_seq, delivered_seq=body.delivered_seq
        )
        own = await watermarks.of_present_customers(db, [mark])
        await watermarks.raise_marks(db, own, now=now())
        rows = (await watermarks.read_marks(db, [mark.place]))[mark.place]
    shared().states.moved(mark.place)
    return answer(own_state(rows, who.actor, is_customer=who.is_customer))


@blueprint.post("/<uuid:session_id>/claim")
@document(
    Who.AGENT,
    body=Empty,
    answers={200: SessionResponse},
    errors=[NotFound, AlreadyAssigned, InvalidMove],
    gives=[ETAG],
)
async def claim_session(session_id: UUID) -> Response:
    """Take a waiting session. One agent wins; the others get 409 with the holder."""
    await parse(Empty)
    who = await caller()
    async with transaction() as db:
        await services.claim(db, who, session_id, now=now())
        await db.flush()
        view = await _view(db, who, session_id)
    return _shown(view)


@blueprint.post("/<uuid:session_id>/assign")
@document(
    STAFF,
    body=Assign,
    answers={200: SessionResponse},
    errors=[NotFound, AlreadyAssigned, InvalidMove, PreconditionFailed],
    takes=[IF_MATCH],
    gives=[ETAG],
)
async def assign_session(session_id: UUID) -> Response:
    """Give a session to an agent, whoever holds it now."""
    body, who = await parse(Assign), await caller()
    require(who, Permission.SESSIONS_ASSIGN)
    async with transaction() as db:
        session = await queries.access(db, who, session_id, lock=True)
        before = await _view(db, who, session_id)
        check_match(session_etag(before), before)
        if "expected_assignee" in body.model_fields_set:
            expected = body.expected_assignee
            services.expect_assignee(session, expected.id if expected else None)
        await services.assign(db, who, session, AgentId(body.assignee.id), now=now())
        await db.flush()
        row = (await queries.summaries_by_id(db, who.workspace_id, [session.id]))[session.id]
        view = await render_one(db, who, row)
    return _shown(view)


@blueprint.post("/<uuid:session_id>/close")
@document(EVERYBODY, body=Close, answers={200: SessionResponse}, errors=[NotFound], gives=[ETAG])
async def close_session(session_id: UUID) -> Response:
    """Close a session; closing it again answers 200 again."""
    body, who = await parse(Close), await caller()
    async with transaction() as db:
        await services.close(db, who, session_id, reason=body.reason, now=now())
        await db.flush()
        view = await _view(db, who, session_id)
    return _shown(view)


@blueprint.post("/<uuid:session_id>/reopen")
@document(
    STAFF,
    body=Empty,
    answers={200: SessionResponse},
    errors=[NotFound, InvalidMove, ReopenWindowPassed],
    gives=[ETAG],
)
async def reopen_session(session_id: UUID) -> Response:
    """Open a closed session again; open if somebody still holds it, else queued."""
    await parse(Empty)
    who = await caller()
    async with transaction() as db:
        session = await services.reopen(db, who, session_id, now=now())
        await db.flush()
        row = (await queries.summaries_by_id(db, who.workspace_id, [session.id]))[session.id]
        view = await render_one(db, who, row)
    return _shown(view)


@leaving.post("/<uuid:agent_id>/deactivate")
@document(STAFF, body=Empty, answers={200: AgentResponse}, errors=[NotFound, LastOwner])
async def deactivate_agent(agent_id: UUID) -> Response:
    """Let an agent in no more: all his logins and links end, and his chats go back to the queue.

    Deactivating him again answers 200 again.
    """
    await parse(Empty)
    who = await caller()
    require(who, Permission.AGENTS_MANAGE)
    async with transaction() as db:
        await deactivate(db, who, agent_id, now=now())
        agent = await agents.by_id(db, who.workspace_id, agent_id)
    return answer(AgentResponse(agent=managed_view(agent)))


async def _view(db: AsyncSession, who: Caller, session_id: UUID) -> SessionView:
    """A session as its caller sees it; raises NotFound where he does not."""
    return await render_one(db, who, await queries.summary(db, who, session_id))


def _shown(view: SessionView) -> Response:
    """A session with its version."""
    return answer(SessionResponse(session=view), etag=session_etag(view))
