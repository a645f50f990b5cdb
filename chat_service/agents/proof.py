"""Proving who one is: passwords looked at after their try was counted, and codes beside them.

A try is counted and committed, then the password is hashed with no connection held, and whoever was
right takes the try back in the transaction of what he does then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service import metrics
from chat_service.agents import attempts, queries
from chat_service.agents.gate import Gate, Subject
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import Target
from chat_service.auth import Caller
from chat_service.errors import InvalidGrant
from chat_service.events.transaction import transaction
from chat_service.model import Agent
from chat_service.schema import AgentId, AgentStatus, Outcome, WorkspaceId


@dataclass(frozen=True, slots=True)
class Proof:
    """A password that was right, for the moment it was looked at, and the tries it was counted as."""

    workspace_id: WorkspaceId
    agent_id: AgentId
    password_hash: str | None
    limits: Sequence[Subject]
    counted_at: datetime


async def prove_password(
    gate: Gate,
    caller: Caller,
    password: str,
    *,
    act: Act,
    address: str,
    now: datetime,
) -> Proof:
    """Check the password of an agent who is signed in, before the `act`.

    The tries are those of signing in: a stolen login guesses no more. Raises InvalidGrant and
    TooManyTries. Opens its own transactions.
    """
    target = Target("agent", UUID(str(caller.actor.id)))
    async with transaction() as db:
        agent = await queries.by_id(db, caller.workspace_id, UUID(str(caller.actor.id)))
        limits = gate.sign_in_limits(address=address, email=agent.email)
        refusal = await attempts.admit(
            db, caller.workspace_id, limits, act=act, now=now, target=target
        )
    if refusal is not None:
        raise refusal
    if not await gate.passwords.fits(agent.password_hash, password):
        await note_refusal(caller.workspace_id, act, now=now, agent=agent)
        raise InvalidGrant("The password is wrong")
    return Proof(caller.workspace_id, agent.id, agent.password_hash, limits, now)


async def proven(db: AsyncSession, proof: Proof) -> Agent:
    """The agent of a proof, locked, with the tries taken back.

    Raises InvalidGrant where the password, or the agent's right to be here, has changed since.
    """
    agent = await queries.lock(db, proof.workspace_id, proof.agent_id)
    if agent.status is not AgentStatus.ACTIVE or agent.password_hash != proof.password_hash:
        raise InvalidGrant("The password has just been changed")
    await attempts.take_back(db, proof.workspace_id, proof.limits, counted_at=proof.counted_at)
    return agent


async def note_refusal(
    workspace_id: WorkspaceId, act: Act, *, now: datetime, agent: Agent | None
) -> None:
    """Count and audit a wrong password, in a transaction of its own; `agent` where he is known."""
    metrics.SIGN_INS_WRONG.inc()
    async with transaction() as db:
        refuse(db, workspace_id, act, now=now, agent=agent)


def refuse(
    db: AsyncSession, workspace_id: WorkspaceId, act: Act, *, now: datetime, agent: Agent | None
) -> None:
    """Audit that an act was refused to somebody who has not shown who he is."""
    audit.record(
        db,
        workspace_id,
        audit.NOBODY,
        act,
        now=now,
        target=Target("agent", agent.id) if agent else None,
        outcome=Outcome.REFUSED,
    )
