"""Add agents and keys; sign agents in, and anybody out."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service import metrics
from chat_service.agents import attempts, queries
from chat_service.agents.passwords import Passwords
from chat_service.auth import Caller, end_tokens
from chat_service.config import Auth
from chat_service.errors import InvalidGrant
from chat_service.events import log
from chat_service.events.schema import AgentCreated
from chat_service.events.transaction import transaction
from chat_service.model import Agent, Token
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
from chat_service.workspaces import queries as workspaces

SYSTEM = Actor(AuthorType.SYSTEM, None)


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
    """Add a member of staff; the database refuses an e-mail that is taken in the workspace."""
    agent = Agent(
        workspace_id=workspace_id,
        id=AgentId(new_id()),
        email=email.lower(),
        name=name,
        role=role,
        role_id=role_id,
        status=status,
        availability=Availability.ONLINE,
        accepting_chats=True,
        password_hash=password_hash,
        totp_confirmed=False,
        recovery_codes=[],
        created_at=now,
    )
    db.add(agent)
    await db.flush()
    log.record(db, AgentCreated(workspace_id=workspace_id, actor=actor, at=now, agent_id=agent.id))
    return agent


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


async def sign_in(
    passwords: Passwords,
    config: Auth,
    *,
    email: str,
    password: str,
    workspace: str | None,
    address: str,
    now: datetime,
) -> tuple[Agent, str]:
    """Check a password and give the agent a token; raises InvalidGrant or TooManyTries.

    Opens its own transactions: the try is committed before the password is looked at, and no
    connection waits while it is hashed.
    """
    limits = attempts.subjects(config, address=address, email=email.lower())
    async with transaction() as db:
        tenant = await workspaces.by_slug(db, workspace)
        workspace_id = tenant.id if tenant else attempts.NOWHERE
        await attempts.count(db, workspace_id, limits, now=now)
        agent = await queries.by_email(db, workspace_id, email)
    known = agent if agent is not None and agent.status is AgentStatus.ACTIVE else None
    if not await passwords.fits(known.password_hash if known else None, password) or not known:
        metrics.SIGN_INS_WRONG.inc()
        raise InvalidGrant("E-mail or password is wrong")
    renewed = None
    if known.password_hash and passwords.is_outdated(known.password_hash):
        renewed = await passwords.hash(password)
    async with transaction() as db:
        await attempts.take_back(db, workspace_id, limits, counted_at=now)
        agent = await queries.by_email(db, workspace_id, email)
        if agent is None or agent.password_hash != known.password_hash:
            raise InvalidGrant("The password has just been changed")
        agent.password_hash = renewed or agent.password_hash
        return agent, await new_login(db, agent, config, now=now)


async def new_login(db: AsyncSession, agent: Agent, config: Auth, *, now: datetime) -> str:
    """A token for an agent who has shown who he is. Its text is given here and never again."""
    token_id, secret = TokenId(new_id()), new_secret()
    db.add(
        Token(
            workspace_id=agent.workspace_id,
            id=token_id,
            kind=TokenKind.AGENT,
            agent_id=agent.id,
            scopes=[],
            secret_hash=hash_secret(secret),
            generation=0,
            created_at=now,
            expires_at=now + timedelta(seconds=config.agent_token_seconds),
        )
    )
    await db.flush()
    return opaque_token("at", agent.workspace_id, token_id, secret)


async def sign_out(db: AsyncSession, caller: Caller, *, now: datetime) -> None:
    """End the caller's own token, with a customer's whole family; a repeat changes nothing."""
    mine = Token.id == caller.token_id
    await end_tokens(db, caller.workspace_id, mine, actor=caller.actor, now=now)


async def set_availability(
    db: AsyncSession,
    caller: Caller,
    *,
    availability: Availability | None,
    accepting_chats: bool | None,
) -> Agent:
    """Keep what an agent tells of himself; None leaves it. It is no event of the log."""
    agent = await queries.by_id(db, caller.workspace_id, UUID(str(caller.actor.id)))
    if availability is not None:
        agent.availability = availability
    if accepting_chats is not None:
        agent.accepting_chats = accepting_chats
    return agent
