"""Choosing a password: by a one-time link, or by who is signed in; and asking for a link by mail.

A link lets in like a sign-in, and takes nothing of the second factor away.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import attempts, links, queries, second_factor, services
from chat_service.agents.choice import check_choice
from chat_service.agents.gate import Gate
from chat_service.agents.letters import letter_with
from chat_service.agents.logins import Device, end_logins
from chat_service.agents.proof import Try, one_try, prove_password, proven, refuse
from chat_service.agents.signing_in import let_in
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import Target
from chat_service.auth import Caller
from chat_service.config import Auth
from chat_service.errors import InvalidGrant, SecondFactorRequired, ServiceError
from chat_service.events.transaction import looking, transaction
from chat_service.mail import Letter
from chat_service.model import Agent, Token
from chat_service.schema import Actor, AgentId, AgentStatus, AuthorType
from chat_service.tokens import Opaque
from chat_service.workspaces import queries as workspaces


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody brings with a link."""

    token: str
    password: str
    name: str | None
    code: str | None


def _refused() -> InvalidGrant:
    """One answer for every link that opens nothing, whatever is the matter with it."""
    return InvalidGrant("The link is not valid any more")


async def join(gate: Gate, choice: Choice, device: Device, *, now: datetime) -> tuple[Agent, str]:
    """Use a link: the new password counts, an invited agent is active, and is signed in.

    All other logins and links of the agent end. Raises InvalidGrant, TooManyTries, Overloaded,
    ValidationFailed for a password that is too easy, and SecondFactorRequired, by which nothing is
    used up. Opens its own transactions, as `sign_in` does.
    """
    check_choice(choice.password)
    given = links.parse_link(choice.token)
    async with looking() as db:
        tenant = await workspaces.by_id(db, given.workspace_id) if given else None
        agent = await links.holder(db, given, now=now) if given else None
    workspace_id = tenant.id if tenant else attempts.NOWHERE
    limits = [gate.link_limit(device.address)]
    async with one_try(workspace_id, limits, Act.PASSWORD_CHANGED, agent=agent, now=now) as tried:
        if given is None or agent is None:
            raise _refused()
        check_choice(choice.password, agent.email)
        hashed = await gate.passwords.hash(choice.password)
        async with transaction() as db:
            admitted = await _use(
                db,
                gate,
                given,
                tried,
                agent_id=agent.id,
                choice=choice,
                device=device,
                hashed=hashed,
            )
        if isinstance(admitted, ServiceError):
            raise admitted
    return admitted


async def _use(
    db: AsyncSession,
    gate: Gate,
    given: Opaque,
    tried: Try,
    *,
    agent_id: AgentId,
    choice: Choice,
    device: Device,
    hashed: str,
) -> tuple[Agent, str] | ServiceError:
    """Use the link up under the lock of its agent; a refusal is given, for it is committed."""
    now, workspace_id = tried.counted_at, tried.workspace_id
    if choice.code is not None:
        refusal = await second_factor.count_code_of(
            db, workspace_id, agent_id, gate.config, Act.PASSWORD_CHANGED, now=now
        )
        if refusal is not None:
            return refusal
    agent = await queries.lock(db, workspace_id, agent_id)
    if agent.totp_confirmed and choice.code is None:
        return SecondFactorRequired()
    if agent.totp_confirmed and choice.code is not None:
        if not second_factor.use_code(agent, choice.code, gate.keys, now=now):
            return InvalidGrant(second_factor.WRONG)
    if not await links.use_up(db, given, agent, now=now):
        raise _refused()  # and the code that was right is not used up either
    if choice.code is not None:
        await second_factor.take_code_back(db, agent, gate.config, counted_at=now)
    await tried.take_back(db)
    return agent, await _settle(db, gate.config, agent, choice, device, hashed=hashed, now=now)


async def _settle(
    db: AsyncSession,
    config: Auth,
    agent: Agent,
    choice: Choice,
    device: Device,
    *,
    hashed: str,
    now: datetime,
) -> str:
    """Set the password, let go of all that the old one had opened, and sign the agent in."""
    actor, joins = Actor(AuthorType.AGENT, agent.id), agent.status is AgentStatus.INVITED
    changed = ["status"] if joins else []
    if choice.name is not None and choice.name != agent.name:
        changed.insert(0, "display_name")
        agent.name = choice.name
    agent.password_hash, agent.status = hashed, AgentStatus.ACTIVE
    if changed:
        services.note_update(db, agent, actor, changed, now=now)
    await end_logins(db, agent, actor=actor, now=now)
    await links.end_links(db, agent.workspace_id, agent.id)
    act = Act.AGENT_JOINED if joins else Act.PASSWORD_CHANGED
    return await let_in(db, agent, device, config, act, now=now)


async def change_password(
    gate: Gate,
    caller: Caller,
    *,
    old: str,
    password: str,
    now: datetime,
) -> None:
    """Another password for who shows the old one; his other logins and his links end.

    Raises ValidationFailed, InvalidGrant and TooManyTries. Opens its own transactions.
    """
    async with looking() as db:
        agent = await queries.by_id(db, caller.workspace_id, caller.agent_id)
    check_choice(password, agent.email)
    act = Act.PASSWORD_CHANGED
    proof = await prove_password(gate, caller, old, act=act, now=now)
    hashed = await gate.passwords.hash(password)
    async with transaction() as db:
        agent = await proven(db, proof)
        agent.password_hash = hashed
        others = Token.id != caller.token_id
        await end_logins(db, agent, others, actor=caller.actor, now=now)
        await links.end_links(db, agent.workspace_id, agent.id)
        audit.record_by(db, caller, act, now=now, target=Target("agent", agent.id))


async def ask_for_recovery(
    gate: Gate,
    *,
    email: str,
    workspace: str | None,
    address: str,
    public_url: str,
    now: datetime,
) -> Letter | None:
    """A letter with a link, if there is somebody to write to; who asked is not told which.

    Only who has a password may forget it: who signs in by another site's word gets none this way.
    Nobody gets more than three in a quarter of an hour, whoever asks.
    Without `public_url` no letter can be written. Raises TooManyTries.
    """
    limits = gate.recovery_limits(address=address, email=email)
    act, letter = Act.RECOVERY_REQUESTED, None
    async with transaction() as db:
        tenant = await workspaces.by_slug(db, workspace)
        workspace_id = tenant.id if tenant else attempts.NOWHERE
        refusal = await attempts.admit(db, workspace_id, limits, act=act, now=now)
        # Counted for who is unknown as well, lest the time tells.
        may = refusal is None and await attempts.count(
            db, workspace_id, gate.letter_limit(email), now=now
        )
        agent = await queries.by_email(db, workspace_id, email)
        forgot = agent is not None and agent.status is AgentStatus.ACTIVE and agent.password_hash
        if may and tenant and agent and forgot:
            target = Target("agent", agent.id)
            audit.record(db, workspace_id, audit.NOBODY, act, now=now, target=target)
            if public_url:
                link = await links.issue(db, agent, gate.config, now=now, beside=True)
                letter = await letter_with(db, agent, link, public_url)
        elif refusal is None:
            refuse(db, workspace_id, act, now=now, agent=agent)
    if refusal is not None:
        raise refusal
    return letter
