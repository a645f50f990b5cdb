"""Agents' logins: begun at a sign-in, listed, and ended one by one or together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import Target
from chat_service.auth import Caller, end_tokens
from chat_service.config import Auth
from chat_service.errors import NotFound
from chat_service.model import Agent, Token
from chat_service.schema import Actor, AgentId, TokenId, TokenKind, new_id
from chat_service.tokens import hash_secret, new_secret, opaque_token

SHOWN_AT_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Device:
    """From where somebody signs in, and with what."""

    address: str
    user_agent: str


async def begin(
    db: AsyncSession, agent: Agent, device: Device, config: Auth, *, now: datetime
) -> tuple[TokenId, str]:
    """A new login of an agent: its id, and the text of its token, which is given here alone."""
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
            address=device.address[:45] or None,
            user_agent=device.user_agent[:200] or None,
        )
    )
    await db.flush()
    return token_id, opaque_token("at", agent.workspace_id, token_id, secret)


async def living(
    db: AsyncSession, caller: Caller, agent_id: UUID, *, now: datetime
) -> Sequence[Token]:
    """The logins of an agent that have not ended, newest first."""
    query = (
        select(Token)
        .where(
            Token.workspace_id == caller.workspace_id,
            Token.agent_id == agent_id,
            Token.revoked_at.is_(None),
            Token.expires_at > now,
        )
        .order_by(Token.id.desc())
        .limit(SHOWN_AT_MOST)
    )
    return (await db.scalars(query)).all()


async def end_one(db: AsyncSession, caller: Caller, login_id: UUID, *, now: datetime) -> None:
    """End one of the caller's own logins; raises NotFound for one that is none, or has ended."""
    agent_id = caller.agent_id
    which = (Token.id == login_id, Token.expires_at > now)
    if not await end_all(db, caller, agent_id, *which, now=now):
        raise NotFound()


async def end_others(db: AsyncSession, caller: Caller, *, now: datetime) -> None:
    """End all logins of the caller but the one that asks."""
    agent_id = caller.agent_id
    await end_all(db, caller, agent_id, Token.id != caller.token_id, now=now)


async def end_all(
    db: AsyncSession,
    caller: Caller,
    agent_id: AgentId,
    *which: ColumnElement[bool],
    now: datetime,
) -> int:
    """End logins of an agent, all or some; how many. It is audited where there were any."""
    mine = Token.agent_id == agent_id
    ended = await end_tokens(db, caller.workspace_id, mine, *which, actor=caller.actor, now=now)
    if ended:
        audit.record_by(db, caller, Act.LOGINS_ENDED, now=now, target=Target("agent", agent_id))
    return len(ended)


async def end_logins(
    db: AsyncSession, agent: Agent, *which: ColumnElement[bool], actor: Actor, now: datetime
) -> None:
    """End logins as a part of another act, which is what is audited."""
    mine = Token.agent_id == agent.id
    await end_tokens(db, agent.workspace_id, mine, *which, actor=actor, now=now)
