"""The keys by which an inbox's host site vouches for its visitors."""

from uuid import UUID

import orjson
from quart import Blueprint, Response

from chat_service.agents.standing import act
from chat_service.auth import require
from chat_service.errors import NotFound, TooMany
from chat_service.events.transaction import reading, transaction
from chat_service.inboxes import queries as inboxes
from chat_service.inboxes.signing import keys
from chat_service.inboxes.signing.transport import (
    CreatedInboxKey,
    InboxKeyList,
    InboxKeyView,
    NewInboxKey,
)
from chat_service.model import InboxKey
from chat_service.schema import KeyAlgorithm, Permission
from chat_service.transport import Query
from chat_service.web import Who, answer, caller, document, now, parse, query, shared

blueprint = Blueprint("signing", __name__, url_prefix="/v1/inboxes")
STAFF = Who.AGENT | Who.KEY


@blueprint.get("/<uuid:inbox_id>/keys")
@document(STAFF, answers={200: InboxKeyList}, errors=[NotFound])
async def list_inbox_keys(inbox_id: UUID) -> Response:
    """List the live keys of an inbox, without their secrets."""
    query(Query)
    who = await caller()
    require(who, Permission.INBOXES_MANAGE)
    async with reading() as db:
        inbox = await inboxes.access_by_id(db, who.workspace_id, inbox_id)
        found = await keys.live(db, who.workspace_id, inbox.id)
    return answer(InboxKeyList(data=[_view(key) for key in found]))


@blueprint.post("/<uuid:inbox_id>/keys")
@document(STAFF, body=NewInboxKey, answers={201: CreatedInboxKey}, errors=[NotFound, TooMany])
async def create_inbox_key(inbox_id: UUID) -> Response:
    """Make a key. Two of an inbox may be live, so that a site can change over without a gap."""
    body, who = await parse(NewInboxKey), await caller()
    require(who, Permission.INBOXES_MANAGE)
    async with transaction() as db:
        who = await act(db, who, Permission.INBOXES_MANAGE)
        key, secret = await keys.create(
            db,
            who.workspace_id,
            inbox_id,
            body.algorithm,
            public_key=body.public_key,
            keys=shared().keys,
            actor=who.actor,
            now=now(),
            token_id=who.token_id,
        )
    return answer(CreatedInboxKey(key=_view(key), secret=secret), 201)


@blueprint.delete("/<uuid:inbox_id>/keys/<uuid:signing_key_id>")
@document(STAFF, answers={204: None}, errors=[NotFound])
async def revoke_inbox_key(inbox_id: UUID, signing_key_id: UUID) -> Response:
    """End a key: nothing it signed is believed any more. Customers who came by it stay signed in."""
    query(Query)
    who = await caller()
    require(who, Permission.INBOXES_MANAGE)
    async with transaction() as db:
        await keys.revoke(
            db,
            who.workspace_id,
            inbox_id,
            signing_key_id,
            actor=who.actor,
            now=now(),
            token_id=who.token_id,
        )
    return answer(None, 204)


def _view(key: InboxKey) -> InboxKeyView:
    has_public_key = key.algorithm is KeyAlgorithm.ED25519
    return InboxKeyView(
        object="inbox_key",
        id=key.id,
        kid=key.id.hex,
        inbox_id=key.inbox_id,
        algorithm=key.algorithm,
        public_key=orjson.loads(key.material) if has_public_key else None,
        created_at=key.created_at,
    )
