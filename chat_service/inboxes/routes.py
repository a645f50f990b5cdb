"""Inboxes as staff manage them. Where customers begin at one is in `customers`."""

from uuid import UUID

from quart import Blueprint, Response

from chat_service.auth import Caller, require
from chat_service.errors import NotFound, TooMany
from chat_service.events.transaction import reading, transaction
from chat_service.inboxes import queries, services
from chat_service.inboxes.queries import inbox_key
from chat_service.inboxes.transport import (
    InboxList,
    InboxResponse,
    InboxView,
    NewInbox,
    PatchInbox,
)
from chat_service.model import Inbox
from chat_service.schema import Permission, TokenKind
from chat_service.transport import LOCATION, Query
from chat_service.web import Who, answer, caller, document, now, parse, query

blueprint = Blueprint("inboxes", __name__, url_prefix="/v1/inboxes")
STAFF = Who.AGENT | Who.KEY


@blueprint.get("")
@document(STAFF, answers={200: InboxList})
async def list_inboxes() -> Response:
    """List all inboxes. Every agent may; a key needs the permission to manage them."""
    query(Query)
    who = await caller()
    _require_reader(who)
    async with reading() as db:
        found = await queries.every(db, who.workspace_id)
    return answer(InboxList(data=[_view(inbox) for inbox in found]))


@blueprint.post("")
@document(STAFF, body=NewInbox, answers={201: InboxResponse}, errors=[TooMany], gives=[LOCATION])
async def create_inbox() -> Response:
    """Make the entry point of a site."""
    body, who = await parse(NewInbox), await caller()
    require(who, Permission.INBOXES_MANAGE)
    async with transaction() as db:
        inbox = await services.create(
            db,
            who.workspace_id,
            **body.model_dump(),
            now=now(),
            actor=who.actor,
            token_id=who.token_id,
        )
    location = {LOCATION.name: f"/v1/inboxes/{inbox.id}"}
    return answer(InboxResponse(inbox=_view(inbox)), 201, headers=location)


@blueprint.get("/<uuid:inbox_id>")
@document(STAFF, answers={200: InboxResponse}, errors=[NotFound])
async def get_inbox(inbox_id: UUID) -> Response:
    """Read one inbox."""
    query(Query)
    who = await caller()
    _require_reader(who)
    async with reading() as db:
        inbox = await queries.access_by_id(db, who.workspace_id, inbox_id)
    return answer(InboxResponse(inbox=_view(inbox)))


@blueprint.patch("/<uuid:inbox_id>")
@document(STAFF, body=PatchInbox, answers={200: InboxResponse}, errors=[NotFound])
async def patch_inbox(inbox_id: UUID) -> Response:
    """Change an inbox. Its other origins hold within a second, for pages and for new sockets."""
    body, who = await parse(PatchInbox), await caller()
    require(who, Permission.INBOXES_MANAGE)
    async with transaction() as db:
        inbox = await queries.access_by_id(db, who.workspace_id, inbox_id, lock=True)
        await services.change(db, who, inbox, body.model_dump(exclude_none=True), now=now())
    return answer(InboxResponse(inbox=_view(inbox)))


def _require_reader(who: Caller) -> None:
    if who.kind is TokenKind.KEY:
        require(who, Permission.INBOXES_MANAGE)


def _view(inbox: Inbox) -> InboxView:
    return InboxView(
        object="inbox",
        id=inbox.id,
        workspace_id=inbox.workspace_id,
        key=inbox_key(inbox),
        name=inbox.name,
        allowed_origins=inbox.allowed_origins,
        reopen_seconds=inbox.reopen_seconds,
        reply_claims=inbox.reply_claims,
        assignee_only=inbox.assignee_only,
        created_at=inbox.created_at,
    )
