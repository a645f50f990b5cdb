"""Showing again who one is, before what opens an account is changed: a stolen login is not enough.

By the password, and a code where there is a second factor; who has no password has just come by
another site. Leaves the counting of passwords to `proof` and of codes to `second_factor`.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import queries, second_factor
from chat_service.agents.gate import Gate
from chat_service.agents.proof import Proof, prove_password, proven, refuse
from chat_service.audit.acts import Act
from chat_service.auth import Caller
from chat_service.errors import (
    FieldError,
    Forbidden,
    InvalidGrant,
    SecondFactorRequired,
    ServiceError,
    ValidationFailed,
)
from chat_service.events.transaction import looking, transaction
from chat_service.model import Token

JUST: Final = timedelta(minutes=10)
"""How long ago somebody without a password may have signed in."""


async def show_again(
    gate: Gate,
    caller: Caller,
    password: str | None,
    code: str | None,
    *,
    act: Act,
    now: datetime,
) -> None:
    """Check what the caller shows before the `act`.

    Raises ValidationFailed without a password, InvalidGrant, TooManyTries, Overloaded,
    SecondFactorRequired, and Forbidden for a login that is too old where there is no password. Opens
    its own transactions.
    """
    async with looking() as db:
        agent = await queries.by_id(db, caller.workspace_id, caller.agent_id)
        begun_at = await db.scalar(
            select(Token.created_at).where(
                Token.workspace_id == caller.workspace_id, Token.id == caller.token_id
            )
        )
    if agent.password_hash is None:
        if begun_at is None or begun_at < now - JUST:
            raise Forbidden("Sign in again first: this needs a login of the last ten minutes")
        return
    if password is None:
        raise ValidationFailed(errors=[FieldError("/password", "missing", "is needed here")])
    proof = await prove_password(gate, caller, password, act=act, now=now)
    async with transaction() as db:
        refusal = await _check_code(db, gate, caller, proof, code, act=act, now=now)
    if refusal is not None:
        raise refusal


async def _check_code(
    db: AsyncSession,
    gate: Gate,
    caller: Caller,
    proof: Proof,
    code: str | None,
    *,
    act: Act,
    now: datetime,
) -> ServiceError | None:
    """Look at the code where one is asked for; a refusal is given, for it is committed."""
    if code is not None:
        refusal = await second_factor.count_code(db, caller, gate.config, act, now=now)
        if refusal is not None:
            return refusal
    agent = await proven(db, proof)
    if agent.totp_confirmed and code is None:
        return SecondFactorRequired()
    if agent.totp_confirmed and code is not None:
        if not second_factor.use_code(agent, code, gate.keys, now=now):
            refuse(db, caller.workspace_id, act, now=now, agent=agent)
            return InvalidGrant(second_factor.WRONG)
    if code is not None:
        await second_factor.take_code_back(db, agent, gate.config, counted_at=now)
    return None
