"""API keys over HTTP, for agents who manage agents; no key makes or ends another."""

from datetime import timedelta
from uuid import UUID

from quart import Blueprint, Response

from chat_service.agents.keys import queries, services
from chat_service.agents.keys.transport import (
    ApiKeyCreated,
    ApiKeyList,
    ApiKeyView,
    NewApiKey,
)
from chat_service.agents.standing import act, require_own
from chat_service.auth import require
from chat_service.errors import NotFound, TooMany
from chat_service.events.transaction import reading, transaction
from chat_service.model import Token
from chat_service.schema import ROLE_PERMISSIONS, Permission, Role
from chat_service.transport import Query
from chat_service.web import Who, answer, caller, document, now, parse, query

blueprint = Blueprint("keys", __name__, url_prefix="/v1/api-keys")


@blueprint.get("")
@document(Who.AGENT, answers={200: ApiKeyList})
async def list_api_keys() -> Response:
    """List the workspace's keys, without their secrets, those that still count first."""
    query(Query)
    who = await caller()
    require(who, Permission.AGENTS_MANAGE)
    async with reading() as db:
        found = await queries.every(db, who.workspace_id)
    return answer(ApiKeyList(data=[_view(key) for key in found]))


@blueprint.post("")
@document(Who.AGENT, body=NewApiKey, answers={201: ApiKeyCreated}, errors=[TooMany])
async def create_api_key() -> Response:
    """Make a key. Its text is shown here and never again; it gives only what its maker may do."""
    body, who, moment = await parse(NewApiKey), await caller(), now()
    require(who, Permission.AGENTS_MANAGE)
    scopes = ROLE_PERMISSIONS[Role.BOT] if body.scopes is None else body.scopes
    async with transaction() as db:
        who = await act(db, who, Permission.AGENTS_MANAGE)
        require_own(who, scopes)
        key, text = await services.create(
            db,
            who.workspace_id,
            name=body.name,
            scopes=scopes,
            expires_at=moment + timedelta(days=body.expires_in_days),
            now=moment,
            actor=who.actor,
            token_id=who.token_id,
        )
    return answer(ApiKeyCreated(api_key=_view(key), token=text), 201)


@blueprint.delete("/<uuid:key_id>")
@document(Who.AGENT, answers={204: None}, errors=[NotFound])
async def revoke_api_key(key_id: UUID) -> Response:
    """Revoke a key: requests with it are refused within a second, its sockets are closed."""
    query(Query)
    who = await caller()
    require(who, Permission.AGENTS_MANAGE)
    async with transaction() as db:
        await services.revoke(db, who, key_id, now=now())
    return answer(None, 204)


def _view(key: Token) -> ApiKeyView:
    return ApiKeyView(
        object="api_key",
        id=key.id,
        workspace_id=key.workspace_id,
        name=key.name or "",
        token_prefix=f"sk_{key.workspace_id.hex}_{key.id.hex}_",
        scopes=[Permission(scope) for scope in key.scopes],
        created_at=key.created_at,
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
        revoked_at=key.revoked_at,
    )
