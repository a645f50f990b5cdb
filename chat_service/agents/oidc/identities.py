"""Who an agent is at another site: rows of issuer and subject, and by nothing else.

What links or unlinks changes with what somebody signs in, so it ends the agent's other logins.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import links, queries
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.auth import Caller, end_tokens
from chat_service.errors import IdentityTaken, LastWayIn, NotFound, TooMany, Unauthenticated
from chat_service.model import Agent, AgentIdentity, Token
from chat_service.schema import Actor, AgentId, AgentStatus, WorkspaceId

AT_MOST: Final = 10
"""Identities of one agent."""
INSERT: Final[dict[str, Any]] = {"postgresql": insert_postgres, "sqlite": insert_sqlite}


def identity_id(identity: AgentIdentity) -> str:
    """The name of an identity in addresses: 128 bits of a hash of what it consists of."""
    return sha256(f"{identity.issuer}\0{identity.subject}".encode()).hexdigest()[:32]


async def of_agent(
    db: AsyncSession, workspace_id: WorkspaceId, whose: AgentId
) -> Sequence[AgentIdentity]:
    """An agent's identities, the oldest first."""
    query = select(AgentIdentity).where(
        AgentIdentity.workspace_id == workspace_id, AgentIdentity.agent_id == whose
    )
    order = (AgentIdentity.created_at, AgentIdentity.issuer, AgentIdentity.subject)
    return (await db.scalars(query.order_by(*order))).all()


async def access_agent(
    db: AsyncSession, workspace_id: WorkspaceId, issuer: str, subject: str
) -> Agent | None:
    """The active agent of an identity, locked, so that no deactivation passes unseen; else None."""
    identities = (AgentIdentity.workspace_id == Agent.workspace_id) & (
        AgentIdentity.agent_id == Agent.id
    )
    query = (
        select(Agent)
        .join(AgentIdentity, identities)
        .where(
            Agent.workspace_id == workspace_id,
            AgentIdentity.workspace_id == workspace_id,
            AgentIdentity.issuer == issuer,
            AgentIdentity.subject == subject,
            Agent.status == AgentStatus.ACTIVE,
        )
    )
    return (await db.scalars(query.with_for_update(of=Agent, key_share=True))).one_or_none()


async def link(
    db: AsyncSession, agent: Agent, issuer: str, subject: str, *, actor: Actor, now: datetime
) -> None:
    """Let somebody's account of another site stand for this agent; a repeat changes nothing.

    The agent is locked. Raises IdentityTaken where it stands for somebody else, and TooMany.
    """
    held = await of_agent(db, agent.workspace_id, agent.id)
    if any((each.issuer, each.subject) == (issuer, subject) for each in held):
        return
    if len(held) >= AT_MOST:
        raise TooMany()
    new = INSERT[db.get_bind().dialect.name](AgentIdentity).values(
        workspace_id=agent.workspace_id,
        issuer=issuer,
        subject=subject,
        agent_id=agent.id,
        created_at=now,
    )
    # Two may link the same account at once; the key of the table lets one of them.
    added = await db.execute(new.on_conflict_do_nothing().returning(AgentIdentity.agent_id))
    if added.first() is None:
        raise IdentityTaken()
    audit.record(
        db,
        agent.workspace_id,
        actor,
        Act.IDENTITY_LINKED,
        now=now,
        target=audit.Target("agent", agent.id),
    )


async def unlink(
    db: AsyncSession, caller: Caller, name: str, *, issuer: str, now: datetime
) -> None:
    """Take an identity of the caller's away; raises NotFound, and LastWayIn.

    `issuer` is the provider of today: an account of another one lets nobody in.
    """
    agent = await access_self(db, caller)
    held = await of_agent(db, agent.workspace_id, agent.id)
    gone = next((each for each in held if identity_id(each) == name), None)
    if gone is None:
        raise NotFound()
    others = [each for each in held if each is not gone and each.issuer == issuer]
    if gone.issuer == issuer and not others and agent.password_hash is None:
        raise LastWayIn()
    await db.execute(
        delete(AgentIdentity).where(
            AgentIdentity.workspace_id == agent.workspace_id,
            AgentIdentity.issuer == gone.issuer,
            AgentIdentity.subject == gone.subject,
        )
    )
    audit.record_by(
        db, caller, Act.IDENTITY_UNLINKED, now=now, target=audit.Target("agent", agent.id)
    )
    await links.end_links(db, agent.workspace_id, agent.id)
    await end_other_logins(db, caller, now=now)


async def access_self(db: AsyncSession, caller: Caller) -> Agent:
    """The agent who calls, locked; raises Unauthenticated where he has just been deactivated."""
    if not await queries.lock_active(db, caller.workspace_id, [caller.agent_id]):
        raise Unauthenticated()
    return await queries.by_id(db, caller.workspace_id, caller.agent_id)


async def end_other_logins(db: AsyncSession, caller: Caller, *, now: datetime) -> None:
    """End every login of the agent who calls but for the one he calls by."""
    mine = (Token.agent_id == caller.actor.id, Token.id != caller.token_id)
    await end_tokens(db, caller.workspace_id, *mine, actor=caller.actor, now=now)
