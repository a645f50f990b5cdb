"""The second factor: begun, confirmed, removed by its owner, or by who manages agents."""

from uuid import UUID

from quart import Blueprint, Response

from chat_service.agents import second_factor
from chat_service.agents.proof import Proof, prove_password
from chat_service.agents.routes.shown import gate
from chat_service.agents.transport import (
    BeginSecondFactor,
    ConfirmSecondFactor,
    RemoveSecondFactor,
    SecondFactorBegun,
    SecondFactorSet,
)
from chat_service.audit.acts import Act
from chat_service.auth import Caller, require
from chat_service.errors import (
    InvalidGrant,
    NotFound,
    Overloaded,
    SecondFactorOff,
    SecondFactorOn,
    ServiceError,
    TooManyTries,
)
from chat_service.events.transaction import transaction
from chat_service.schema import Permission
from chat_service.transport import Query
from chat_service.web import Who, answer, caller, document, now, parse, query, shared

blueprint = Blueprint("second_factor", __name__, url_prefix="/v1/agents")


@blueprint.post("/me/second-factor")
@document(
    Who.AGENT,
    body=BeginSecondFactor,
    answers={201: SecondFactorBegun},
    errors=[InvalidGrant, TooManyTries, Overloaded, SecondFactorOn],
)
async def begin_second_factor() -> Response:
    """Begin a second factor: a secret for an authenticator, in force once a code is confirmed."""
    body, who = await parse(BeginSecondFactor), await caller()
    proof = await _proof(who, body.password, Act.SECOND_FACTOR_SET)
    async with transaction() as db:
        begun = await second_factor.begin(db, proof, shared().keys)
    return answer(SecondFactorBegun(secret=begun.secret, otpauth_uri=begun.uri), 201)


@blueprint.post("/me/second-factor/confirm")
@document(
    Who.AGENT,
    body=ConfirmSecondFactor,
    answers={200: SecondFactorSet},
    errors=[InvalidGrant, TooManyTries, SecondFactorOn, SecondFactorOff],
)
async def confirm_second_factor() -> Response:
    """Show the first code: from now on signing in asks for one. Answers the recovery codes, once."""
    body, who = await parse(ConfirmSecondFactor), await caller()
    async with transaction() as db:
        told = await second_factor.confirm(
            db, who, body.code, shared().keys, shared().auth, now=now()
        )
    if isinstance(told, ServiceError):
        raise told
    return answer(SecondFactorSet(recovery_codes=told))


@blueprint.delete("/me/second-factor")
@document(
    Who.AGENT,
    body=RemoveSecondFactor,
    answers={204: None},
    errors=[InvalidGrant, TooManyTries, Overloaded, SecondFactorOff],
)
async def remove_second_factor() -> Response:
    """Remove one's own second factor, by password and code."""
    body, who = await parse(RemoveSecondFactor), await caller()
    proof = await _proof(who, body.password, Act.SECOND_FACTOR_REMOVED)
    async with transaction() as db:
        refusal = await second_factor.remove(
            db, who, proof, body.code, shared().keys, shared().auth, now=now()
        )
    if refusal is not None:
        raise refusal
    return answer(None, 204)


@blueprint.delete("/<uuid:agent_id>/second-factor")
@document(Who.AGENT, answers={204: None}, errors=[NotFound])
async def remove_second_factor_of(agent_id: UUID) -> Response:
    """Remove another's second factor, who lost his device and his recovery codes."""
    query(Query)
    who = await caller()
    require(who, Permission.AGENTS_MANAGE)
    async with transaction() as db:
        await second_factor.remove_of(db, who, agent_id, now=now())
    return answer(None, 204)


async def _proof(who: Caller, password: str, act: Act) -> Proof:
    return await prove_password(
        gate(),
        who,
        password,
        act=act,
        now=now(),
    )
