"""The second factor of an agent: begun, confirmed by a code, used, and removed.

Its secret is sealed by a key that is not in the database. Codes are tried under the lock of the agent
and counted in rows, so that each is good once and few are looked at, in however many processes.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from joserfc.errors import JoseError
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import attempts, queries, totp
from chat_service.agents.gate import code_limit
from chat_service.agents.proof import Proof, proven, refuse
from chat_service.agents.standing import act_upon, require_not_oneself
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import Target
from chat_service.auth import Caller
from chat_service.config import Auth
from chat_service.errors import InvalidGrant, SecondFactorOff, SecondFactorOn, TooManyTries
from chat_service.model import Agent
from chat_service.schema import AgentId, Permission, WorkspaceId
from chat_service.tokens import Keys

PURPOSE: Final = "second factor"
WRONG: Final = "The code is wrong, or was used before"
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Begun:
    """A secret to put into an authenticator. It asks nobody for codes before one was shown."""

    secret: str
    uri: str


async def begin(db: AsyncSession, proof: Proof, keys: Keys) -> Begun:
    """A new secret in place of one that was never confirmed; raises SecondFactorOn, InvalidGrant."""
    agent = await proven(db, proof)
    if agent.totp_confirmed:
        raise SecondFactorOn()
    secret = totp.new_totp_secret()
    agent.totp_secret, agent.totp_step = keys.seal(PURPOSE, secret), None
    return Begun(secret, totp.otpauth_uri(secret, agent.email))


async def confirm(
    db: AsyncSession, caller: Caller, code: str, keys: Keys, config: Auth, *, now: datetime
) -> list[str] | InvalidGrant | TooManyTries:
    """Turn the second factor on by its first code: the recovery codes, which are told here alone.

    A refusal is given and not raised, for the try has to be committed. Raises SecondFactorOn, and
    SecondFactorOff where none was begun.
    """
    refusal = await count_code(db, caller, config, Act.SECOND_FACTOR_SET, now=now)
    if refusal is not None:
        return refusal
    agent = await queries.lock(db, caller.workspace_id, caller.agent_id)
    if agent.totp_confirmed:
        raise SecondFactorOn()
    if agent.totp_secret is None:
        raise SecondFactorOff()
    if not _use_totp(agent, code, keys, now=now):
        refuse(db, caller.workspace_id, Act.SECOND_FACTOR_SET, now=now, agent=agent)
        return InvalidGrant(WRONG)
    await take_code_back(db, agent, config, counted_at=now)
    codes = totp.new_recovery_codes()
    agent.totp_confirmed, agent.recovery_codes = True, [totp.stored(each) for each in codes]
    _audit(db, caller, Act.SECOND_FACTOR_SET, agent.id, now=now)
    return codes


async def remove(
    db: AsyncSession,
    caller: Caller,
    proof: Proof,
    code: str,
    keys: Keys,
    config: Auth,
    *,
    now: datetime,
) -> InvalidGrant | TooManyTries | None:
    """Turn the caller's own off, by password and code; a refusal is given, as by `confirm`.

    Raises SecondFactorOff where there is none, and InvalidGrant for a password of yesterday.
    """
    refusal = await count_code(db, caller, config, Act.SECOND_FACTOR_REMOVED, now=now)
    if refusal is not None:
        return refusal
    agent = await proven(db, proof)
    if not agent.totp_confirmed:
        raise SecondFactorOff()
    if not use_code(agent, code, keys, now=now):
        refuse(db, caller.workspace_id, Act.SECOND_FACTOR_REMOVED, now=now, agent=agent)
        return InvalidGrant(WRONG)
    await take_code_back(db, agent, config, counted_at=now)
    forget(agent)
    _audit(db, caller, Act.SECOND_FACTOR_REMOVED, agent.id, now=now)
    return None


async def remove_of(db: AsyncSession, caller: Caller, agent_id: UUID, *, now: datetime) -> None:
    """Turn another's off, who lost his device; a repeat changes nothing.

    Raises NotFound and Forbidden.
    """
    require_not_oneself(caller, agent_id)
    caller, agent, _ = await act_upon(db, caller, Permission.AGENTS_MANAGE, agent_id)
    if agent.totp_secret is not None:
        forget(agent)
        _audit(db, caller, Act.SECOND_FACTOR_REMOVED, agent.id, now=now)


async def count_code(
    db: AsyncSession, caller: Caller, config: Auth, act: Act, *, now: datetime
) -> TooManyTries | None:
    """Count a code that an agent who is signed in shows."""
    agent_id = caller.agent_id
    return await count_code_of(db, caller.workspace_id, agent_id, config, act, now=now)


async def count_code_of(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    agent_id: AgentId,
    config: Auth,
    act: Act,
    *,
    now: datetime,
) -> TooManyTries | None:
    """Count a code before the agent is locked, and before it is looked at."""
    limit, target = code_limit(config, agent_id), Target("agent", agent_id)
    return await attempts.admit(db, workspace_id, [limit], act=act, now=now, target=target)


async def take_code_back(
    db: AsyncSession, agent: Agent, config: Auth, *, counted_at: datetime
) -> None:
    """Forget the code that was counted then: it was right, or none was asked for."""
    limit = code_limit(config, agent.id)
    await attempts.take_back(db, agent.workspace_id, [limit], counted_at=counted_at)


def use_code(agent: Agent, code: str, keys: Keys, *, now: datetime) -> bool:
    """Use a code of a locked agent: of the authenticator, or one of the recovery codes."""
    if _use_totp(agent, code, keys, now=now):
        return True
    left = totp.without(code, agent.recovery_codes)
    if left is None:
        return False
    agent.recovery_codes = left
    return True


def _use_totp(agent: Agent, code: str, keys: Keys, *, now: datetime) -> bool:
    try:
        secret = keys.unseal(PURPOSE, agent.totp_secret or "")
    except (JoseError, ValueError) as error:
        # Sealed by another key than the service has now: the recovery codes still open the account.
        log.error("second_factor_unreadable", exc_info=error)
        return False
    step = totp.matching_step(secret, totp.plain(code), used=agent.totp_step, now=now)
    if step is None:
        return False
    agent.totp_step = step
    return True


def forget(agent: Agent) -> None:
    """Take the second factor off a locked agent."""
    agent.totp_secret = agent.totp_step = None
    agent.totp_confirmed, agent.recovery_codes = False, []


def _audit(db: AsyncSession, caller: Caller, act: Act, agent_id: AgentId, *, now: datetime) -> None:
    audit.record_by(db, caller, act, now=now, target=Target("agent", agent_id))
