"""Proving who one is: tries that are counted before they are looked at, and what was right then.

A try is counted and committed, then the password is hashed with no connection held. However that
ends, the try is decided here: a refusal lets it count, and everything else takes it back.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service import metrics
from chat_service.agents import attempts, queries
from chat_service.agents.gate import Gate, Subject
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import Target
from chat_service.auth import Caller
from chat_service.errors import InvalidGrant, Overloaded
from chat_service.events.transaction import looking, transaction
from chat_service.model import Agent
from chat_service.schema import AgentId, AgentStatus, Outcome, WorkspaceId

PAUSES: Final = (0.05, 0.1, 0.15) + (0.2,) * 11
"""Seconds between looks whether a place is free that others hold, 2.5 in all."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A password that was right, for the moment it was looked at."""

    workspace_id: WorkspaceId
    agent_id: AgentId
    password_hash: str | None


@dataclass(slots=True)
class Try:
    """A try that is being decided, at an act; upon an agent where he is known."""

    workspace_id: WorkspaceId
    limits: Sequence[Subject]
    act: Act
    agent: Agent | None
    counted_at: datetime
    decided: bool = False

    async def take_back(self, db: AsyncSession) -> None:
        """Forget it in the transaction of what comes of it, which saves one."""
        await attempts.take_back(db, self.workspace_id, self.limits, counted_at=self.counted_at)
        self.decided = True

    async def reserve(self) -> None:
        """Count it; raises TooManyTries, and Overloaded where others stay undecided for long."""
        target = Target("agent", self.agent.id) if self.agent else None
        for pause in (*PAUSES, 0):
            async with transaction() as db:
                refusal = await attempts.reserve(
                    db,
                    self.workspace_id,
                    self.limits,
                    act=self.act,
                    now=self.counted_at,
                    target=target,
                )
            if not isinstance(refusal, Overloaded):
                break
            await asyncio.sleep(pause)
        if isinstance(refusal, Overloaded):
            metrics.PASSWORDS_FULL.inc()
        if refusal is not None:
            raise refusal

    async def fail(self) -> None:
        """Let it count, and audit that it was refused."""
        metrics.SIGN_INS_WRONG.inc()
        async with transaction() as db:
            await attempts.fail(db, self.workspace_id, self.limits, counted_at=self.counted_at)
            refuse(db, self.workspace_id, self.act, now=self.counted_at, agent=self.agent)

    async def forget(self) -> None:
        """Take it back, whatever became of the transaction in which that was to be done."""
        async with transaction() as db:
            await self.take_back(db)


@asynccontextmanager
async def one_try(
    workspace_id: WorkspaceId,
    limits: Sequence[Subject],
    act: Act,
    *,
    agent: Agent | None = None,
    now: datetime,
) -> AsyncIterator[Try]:
    """Count a try at an act before its block; raises TooManyTries and Overloaded.

    One that the block refuses (InvalidGrant) stays counted and is audited; any other end takes it
    back. No transaction is open around it, and none in it at its end.
    """
    tried = Try(workspace_id, limits, act, agent, now)
    await tried.reserve()
    refused = decided = False
    try:
        yield tried
        decided = tried.decided
    except InvalidGrant:
        refused = True
        raise
    finally:
        if refused:
            await tried.fail()
        elif not decided:
            await tried.forget()


async def prove_password(
    gate: Gate, caller: Caller, password: str, *, act: Act, now: datetime
) -> Proof:
    """Check the password of an agent who is signed in, before the `act`.

    There are as many tries as at signing in, so a stolen login guesses no more; strangers at the
    door use up none of them. Raises InvalidGrant, TooManyTries and Overloaded. Opens its own
    transactions.
    """
    async with looking() as db:
        agent = await queries.by_id(db, caller.workspace_id, caller.agent_id)
    limits = [gate.proof_limit(agent.id)]
    async with one_try(caller.workspace_id, limits, act, agent=agent, now=now):
        if not await gate.passwords.fits(agent.password_hash, password):
            raise InvalidGrant("The password is wrong")
    return Proof(caller.workspace_id, agent.id, agent.password_hash)


async def proven(db: AsyncSession, proof: Proof) -> Agent:
    """The agent of a proof, locked.

    Raises InvalidGrant where the password, or the agent's right to be here, has changed since.
    """
    agent = await queries.lock(db, proof.workspace_id, proof.agent_id)
    if agent.status is not AgentStatus.ACTIVE or agent.password_hash != proof.password_hash:
        raise InvalidGrant("The password has just been changed")
    return agent


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
