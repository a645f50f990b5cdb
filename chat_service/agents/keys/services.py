"""Make API keys and revoke them."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import services as agents
from chat_service.agents.keys import queries
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import NOBODY, Target
from chat_service.auth import Caller, end_tokens
from chat_service.model import Token
from chat_service.schema import Actor, Permission, TokenId, WorkspaceId
from chat_service.tokens import parse_opaque
from chat_service.workspaces.bounds import require_room


async def create(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    *,
    name: str,
    scopes: Collection[Permission],
    expires_at: datetime,
    now: datetime,
    actor: Actor = NOBODY,
    token_id: TokenId | None = None,
) -> tuple[Token, str]:
    """A new key and its text, which is told here and never again; raises TooMany."""
    await require_room(db, Token, *queries.living(workspace_id))
    text = await agents.create_key(
        db, workspace_id, name=name, scopes=set(scopes), expires_at=expires_at, now=now
    )
    key = await queries.access(db, workspace_id, parse_opaque(text).id)
    audit.record(
        db,
        workspace_id,
        actor,
        Act.API_KEY_CREATED,
        now=now,
        target=Target("api_key", key.id),
        fields=["expires_at", "name", "scopes"],
        token_id=token_id,
    )
    return key, text


async def revoke(db: AsyncSession, caller: Caller, key_id: UUID, *, now: datetime) -> None:
    """End a key, its sockets and streams; a repeat changes and notes nothing. Raises NotFound."""
    key = await queries.access(db, caller.workspace_id, key_id)
    ended = await end_tokens(
        db, caller.workspace_id, Token.id == key.id, actor=caller.actor, now=now
    )
    if ended:
        audit.record_by(db, caller, Act.API_KEY_REVOKED, now=now, target=Target("api_key", key.id))
