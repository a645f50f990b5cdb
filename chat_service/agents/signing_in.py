"""Signing in: e-mail and password, and a code where the account has a second factor.

Known and unknown accounts are answered alike, and cost the same: one hash, and the same transactions.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import attempts, logins, queries, second_factor
from chat_service.agents.gate import Gate
from chat_service.agents.logins import Device
from chat_service.agents.proof import Proof, Try, one_try
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import Target
from chat_service.config import Auth
from chat_service.errors import InvalidGrant, SecondFactorRequired, ServiceError
from chat_service.events.transaction import looking, transaction
from chat_service.model import Agent
from chat_service.schema import Actor, AgentStatus, AuthorType
from chat_service.workspaces import queries as workspaces


@dataclass(frozen=True, slots=True)
class Credentials:
    """What somebody shows who says that he is an agent."""

    email: str
    password: str
    workspace: str | None
    code: str | None


async def sign_in(
    gate: Gate, shown: Credentials, device: Device, *, now: datetime
) -> tuple[Agent, str]:
    """Check what is shown and give the agent a token.

    Raises InvalidGrant, TooManyTries, Overloaded, and SecondFactorRequired where the password alone
    was right.
    Opens its own transactions: the try is committed before the password is looked at, and no
    connection waits while it is hashed.
    """
    async with looking() as db:
        tenant = await workspaces.by_slug(db, shown.workspace)
        workspace_id = tenant.id if tenant else attempts.NOWHERE
        agent = await queries.by_email(db, workspace_id, shown.email)
    limits = gate.sign_in_limits(address=device.address, email=shown.email)
    async with one_try(workspace_id, limits, Act.SIGNED_IN, agent=agent, now=now) as tried:
        known = agent if agent is not None and agent.status is AgentStatus.ACTIVE else None
        fits = await gate.passwords.fits(known.password_hash if known else None, shown.password)
        if not fits or known is None:
            raise InvalidGrant("E-mail or password is wrong")
        renewed = None
        if known.password_hash and gate.passwords.is_outdated(known.password_hash):
            renewed = await gate.passwords.hash(shown.password)
        proof = Proof(workspace_id, known.id, known.password_hash)
        async with transaction() as db:
            admitted = await _admit(
                db, gate, proof, tried, code=shown.code, device=device, renewed=renewed
            )
        if isinstance(admitted, ServiceError):
            raise admitted
    return admitted


async def _admit(
    db: AsyncSession,
    gate: Gate,
    proof: Proof,
    tried: Try,
    *,
    code: str | None,
    device: Device,
    renewed: str | None,
) -> tuple[Agent, str] | ServiceError:
    """Let in whose password was right, if the code is; a refusal is given, for it is committed.

    A right password takes its try back, but not with a wrong code: guessing those is counted both
    ways.
    """
    now, workspace_id = tried.counted_at, proof.workspace_id
    if code is not None:
        refusal = await second_factor.count_code_of(
            db, workspace_id, proof.agent_id, gate.config, Act.SIGNED_IN, now=now
        )
        if refusal is not None:
            return refusal
    agent = await queries.lock(db, workspace_id, proof.agent_id)
    if agent.status is not AgentStatus.ACTIVE or agent.password_hash != proof.password_hash:
        return InvalidGrant("The password has just been changed")
    if agent.totp_confirmed and code is not None:
        if not second_factor.use_code(agent, code, gate.keys, now=now):
            return InvalidGrant(second_factor.WRONG)
    if code is not None:
        await second_factor.take_code_back(db, agent, gate.config, counted_at=now)
    await tried.take_back(db)
    if agent.totp_confirmed and code is None:
        return SecondFactorRequired()
    agent.password_hash = renewed or agent.password_hash
    return agent, await let_in(db, agent, device, gate.config, Act.SIGNED_IN, now=now)


async def let_in(
    db: AsyncSession, agent: Agent, device: Device, config: Auth, act: Act, *, now: datetime
) -> str:
    """A login for somebody who has shown who he is, by the act that is audited; its token."""
    token_id, token = await logins.begin(db, agent, device, config, now=now)
    audit.record(
        db,
        agent.workspace_id,
        Actor(AuthorType.AGENT, agent.id),
        act,
        now=now,
        target=Target("agent", agent.id),
        token_id=token_id,
    )
    return token
