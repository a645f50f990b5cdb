"""Send, read, edit and delete messages."""

from uuid import UUID

from quart import Blueprint, Response

from chat_service.errors import (
    AlreadyAssigned,
    ClientMessageIdMissing,
    ClientMessageIdReused,
    EditWindowPassed,
    NotAssigned,
    NotFound,
    Overloaded,
    PreconditionFailed,
    SessionClosed,
    SessionFull,
    Unavailable,
)
from chat_service.events import log
from chat_service.events.log import Stream
from chat_service.events.transaction import reading, transaction
from chat_service.limits.policies import Policy
from chat_service.messages import changes, queries, services
from chat_service.messages.drafts import draft_of
from chat_service.messages.paging import MessagesQuery, page
from chat_service.messages.transport import (
    AsOf,
    EditMessage,
    MessagePage,
    MessageResponse,
    NewMessage,
    SentResponse,
    message_cursor,
    message_etag,
    message_view,
)
from chat_service.schema import CursorKind, SessionId
from chat_service.sessions import queries as sessions
from chat_service.transport import (
    ETAG,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    LOCATION,
    REPLAYED,
    Query,
)
from chat_service.web import (
    Who,
    answer,
    caller,
    check_match,
    document,
    idempotency_key,
    now,
    parse,
    query,
    shared,
)

blueprint = Blueprint("messages", __name__, url_prefix="/v1/sessions/<uuid:session_id>/messages")
EVERYBODY = Who.CUSTOMER | Who.AGENT | Who.KEY


@blueprint.post("")
@document(
    EVERYBODY,
    body=NewMessage,
    answers={201: SentResponse},
    errors=[
        ClientMessageIdMissing,
        NotFound,
        SessionClosed,
        SessionFull,
        NotAssigned,
        AlreadyAssigned,
        ClientMessageIdReused,
        Overloaded,
        Unavailable,
    ],
    takes=[IDEMPOTENCY_KEY],
    gives=[ETAG, LOCATION, REPLAYED],
    limit=Policy.SEND,
)
async def send_message(session_id: UUID) -> Response:
    """Send a message. It is durable when this answers; a repeat with the same id is safe for ever."""
    body, who = await parse(NewMessage), await caller()
    client_message_id = idempotency_key(body.client_message_id)
    if client_message_id is None:
        raise ClientMessageIdMissing()
    draft = draft_of(
        who,
        SessionId(session_id),
        client_message_id=client_message_id,
        content=body.content.model_dump(),
        visibility=body.visibility,
        reply_to_id=body.reply_to_id,
        metadata=body.metadata,
        public_metadata=body.public_metadata,
        limits=shared().limits,
    )
    sent = await services.send(shared().lanes, draft)
    view = message_view(who.is_customer, sent.row, sent.author_name)
    headers = {"Location": f"/v1/sessions/{session_id}/messages/{view['id']}"}
    if sent.repeated:
        headers["Idempotent-Replayed"] = "true"
    stored = {"message": view, "cursor": message_cursor(who.is_customer, sent.row)}
    return answer(stored, 201, headers=headers, etag=message_etag(view))


@blueprint.get("")
@document(EVERYBODY, query=MessagesQuery, answers={200: MessagePage}, errors=[NotFound])
async def list_messages(session_id: UUID) -> Response:
    """Page through a conversation by number, in the numbering of the caller."""
    wanted, who = query(MessagesQuery), await caller()
    kind = CursorKind.PUBLIC if who.is_customer else CursorKind.STAFF
    async with reading() as db:
        session = await sessions.access(db, who, session_id)
        stream = Stream(kind, session.workspace_id, session.id)
        head = await log.head(db, stream)
        rows, links = await page(db, who, session, wanted)
    data = [message_view(who.is_customer, row, row["author_name"]) for row in rows]
    as_of = AsOf(seq=head.position, cursor=str(head))
    return answer({"data": data, "page": links, "as_of": as_of})


@blueprint.get("/<uuid:message_id>")
@document(
    EVERYBODY,
    answers={200: MessageResponse},
    errors=[NotFound],
    takes=[IF_NONE_MATCH],
    gives=[ETAG],
)
async def get_message(session_id: UUID, message_id: UUID) -> Response:
    """Read one message. With `If-None-Match` and nothing changed, 304."""
    query(Query)
    who = await caller()
    async with reading() as db:
        await sessions.access(db, who, session_id)
        await queries.access(db, who, session_id, message_id)
        row = (await queries.by_id(db, who.workspace_id, [message_id]))[message_id]
    view = message_view(who.is_customer, row, row["author_name"])
    return answer({"message": view}, etag=message_etag(view))


@blueprint.patch("/<uuid:message_id>")
@document(
    EVERYBODY,
    body=EditMessage,
    answers={200: MessageResponse},
    errors=[NotFound, EditWindowPassed, PreconditionFailed],
    takes=[IF_MATCH],
    gives=[ETAG],
)
async def edit_message(session_id: UUID, message_id: UUID) -> Response:
    """Change the words of one's own message, for a while after it was sent."""
    body, who = await parse(EditMessage), await caller()
    async with transaction() as db:
        session = await sessions.access(db, who, session_id, lock=True)
        message = await queries.access(db, who, session_id, message_id, lock=True)
        row = (await queries.by_id(db, who.workspace_id, [message_id]))[message_id]
        before = message_view(who.is_customer, row, row["author_name"])
        check_match(message_etag(before), before)
        content = body.content.model_dump()
        await changes.edit(db, who, session, message, content, limits=shared().limits, now=now())
        await db.flush()
        row = (await queries.by_id(db, who.workspace_id, [message_id]))[message_id]
    view = message_view(who.is_customer, row, row["author_name"])
    return answer({"message": view}, etag=message_etag(view))


@blueprint.delete("/<uuid:message_id>")
@document(
    EVERYBODY,
    answers={204: None},
    errors=[NotFound, EditWindowPassed, PreconditionFailed],
    takes=[IF_MATCH],
)
async def delete_message(session_id: UUID, message_id: UUID) -> Response:
    """Delete a message: it leaves a tombstone that keeps its numbers."""
    query(Query)
    who = await caller()
    async with transaction() as db:
        session = await sessions.access(db, who, session_id, lock=True)
        message = await queries.access(db, who, session_id, message_id, lock=True)
        row = (await queries.by_id(db, who.workspace_id, [message_id]))[message_id]
        before = message_view(who.is_customer, row, row["author_name"])
        check_match(message_etag(before), before)
        await changes.delete(db, who, session, message, limits=shared().limits, now=now())
    return answer(None, 204)
