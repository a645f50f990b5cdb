"""Add agents and keys; sign anybody out, and keep what agents tell of themselves."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import queries
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import Target
from chat_service.auth import Caller, end_tokens
from chat_service.errors import EmailTaken
from chat_service.events import log
from chat_service.events.schema import AgentCreated, AgentUpdated
from chat_service.model import Agent, Token, table_of
from chat_service.schema import (
    Actor,
    AgentId,
    AgentStatus,
    AuthorType,
    Availability,
    Permission,
    Role,
    RoleId,
    TokenId,
    TokenKind,
    WorkspaceId,
    new_id,
)
from chat_service.tokens import hash_secret, new_secret, opaque_token
from chat_service.workspaces.bounds import require_room

SYSTEM = Actor(AuthorType.SYSTEM, None)
AGENTS: Final = table_of(Agent)


def note_update(
    db: AsyncSession, agent: Agent, actor: Actor, changed: Collection[str], *, now: datetime
) -> None:
    """Record that an agent has changed; `changed` are names of fields."""
    updated = AgentUpdated(
        workspace_id=agent.workspace_id,
        actor=actor,
        at=now,
        agent_id=agent.id,
        changed=list(changed),
    )
    log.record(db, updated)


async def create(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    *,
    email: str,
    name: str,
    role: Role,
    password_hash: str | None,
    now: datetime,
    status: AgentStatus = AgentStatus.ACTIVE,
    role_id: RoleId | None = None,
    actor: Actor = SYSTEM,
) -> Agent:
    """Add a member of staff; raises EmailTaken, and TooMany for more than a workspace may have."""
    await require_room(db, Agent, Agent.workspace_id == workspace_id)
    agent_id = AgentId(new_id())
    row: dict[str, Any] = {
        "workspace_id": workspace_id,
        "id": agent_id,
        "email": email.lower(),
        "name": name,
        "role": role,
        "role_id": role_id,
        "status": status,
        "availability": Availability.ONLINE,
        "accepting_chats": True,
        "password_hash": password_hash,
        "totp_confirmed": False,
        "recovery_codes": [],
        "created_at": now,
    }
    sqlite = db.get_bind().dialect.name == "sqlite"
    insert: Any = (insert_sqlite if sqlite else insert_postgres)(AGENTS).values(row)
    # Two who add the same e-mail at once: one waits for the other, and is told.
    added = await db.execute(insert.on_conflict_do_nothing().returning(AGENTS.c.id))
    if added.first() is None:
        raise EmailTaken()
    log.record(db, AgentCreated(workspace_id=workspace_id, actor=actor, at=now, agent_id=agent_id))
    return await queries.by_id(db, workspace_id, agent_id)


async def create_key(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    *,
    name: str,
    scopes: Collection[Permission],
    expires_at: datetime | None,
    now: datetime,
) -> str:
    """A new API key. Its text is given here and never again; only its hash is stored."""
    token_id, secret = TokenId(new_id()), new_secret()
    db.add(
        Token(
            workspace_id=workspace_id,
            id=token_id,
            kind=TokenKind.KEY,
            name=name,
            scopes=sorted(scopes),
            secret_hash=hash_secret(secret),
            generation=0,
            created_at=now,
            expires_at=expires_at,
        )
    )
    await db.flush()
    return opaque_token("sk", workspace_id, token_id, secret)


async def sign_out(db: AsyncSession, caller: Caller, *, now: datetime) -> None:
    """End the caller's own token, with a customer's whole family; a repeat changes nothing."""
    mine = Token.id == caller.token_id
    ended = await end_tokens(db, caller.workspace_id, mine, actor=caller.actor, now=now)
    if ended and caller.kind is TokenKind.AGENT:
        audit.record_by(
            db, caller, Act.SIGNED_OUT, now=now, target=Target("agent", caller.agent_id)
        )


async def set_availability(
    db: AsyncSession,
    caller: Caller,
    *,
    availability: Availability | None,
    accepting_chats: bool | None,
) -> Agent:
    """Keep what an agent tells of himself; None leaves it. It is no event of the log."""
    agent = await queries.by_id(db, caller.workspace_id, caller.agent_id)
    if availability is not None:
        agent.availability = availability
    if accepting_chats is not None:
        agent.accepting_chats = accepting_chats
    return agent
