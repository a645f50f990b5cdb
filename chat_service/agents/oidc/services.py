"""Sign-in by the word of a provider (OpenID Connect): where it begins, and what comes of it.

Owns the three things a way to the provider may be for: signing in, linking an account, accepting an
invitation. Who somebody is is told by issuer and subject alone: an e-mail opens nothing.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service import metrics
from chat_service.agents import attempts
from chat_service.agents.oidc import identities
from chat_service.agents.oidc.flow import Flow, Purpose, new_flow, seal, state_of
from chat_service.agents.oidc.provider import Provider, refused
from chat_service.agents.services import new_login
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.auth import Caller
from chat_service.config import Auth
from chat_service.errors import InvalidGrant, ServiceError, Unauthenticated
from chat_service.events import log
from chat_service.events.schema import AgentUpdated
from chat_service.events.transaction import looking, transaction
from chat_service.model import Agent, OneTimeLink
from chat_service.schema import (
    Actor,
    AgentStatus,
    AuthorType,
    LinkPurpose,
    Outcome,
    TokenId,
    WorkspaceId,
)
from chat_service.tokens import Keys, hash_secret, parse_opaque
from chat_service.workspaces import queries as workspaces

INVITATION: Final = "il"
"""How the text of an invitation's link begins."""


@dataclass(frozen=True, slots=True)
class Started:
    """Where to send the browser, and what the page keeps meanwhile."""

    authorization_url: str
    flow: str


async def start(
    provider: Provider,
    keys: Keys,
    workspace_id: WorkspaceId,
    purpose: Purpose,
    *,
    concerns: UUID | None,
    now: datetime,
) -> Started:
    """Begin a way to the provider; raises ProviderUnavailable. Nothing is stored."""
    flow = new_flow(workspace_id, purpose, concerns, now=now)
    sealed = seal(keys, flow)
    return Started(await provider.authorization_url(flow, state_of(sealed)), sealed)


async def workspace_of(slug: str | None) -> WorkspaceId:
    """Where somebody wants to sign in. That there is no such place is told to nobody."""
    async with looking() as db:
        found = await workspaces.by_slug(db, slug)
    return found.id if found else attempts.NOWHERE


async def invitation_of(
    config: Auth, text: str, *, address: str, now: datetime
) -> tuple[WorkspaceId, UUID]:
    """The workspace and the id of an invitation's link, which is not used up by that.

    Raises InvalidGrant, and TooManyTries.
    """
    try:
        given = parse_opaque(text)
    except Unauthenticated:
        given = None
    workspace_id, found = attempts.NOWHERE, None
    if given is not None and given.prefix == INVITATION:
        query = select(OneTimeLink.id).where(
            OneTimeLink.workspace_id == given.workspace_id,
            OneTimeLink.id == given.id,
            OneTimeLink.secret_hash == hash_secret(given.secret),
            *_good_invitation(now),
        )
        async with looking() as db:
            if await workspaces.by_id(db, given.workspace_id) is not None:
                workspace_id, found = given.workspace_id, await db.scalar(query)
    async with one_try(config, workspace_id, address=address, now=now):
        if found is None:
            raise refused("invitation")
    return workspace_id, found


async def finish(
    provider: Provider,
    config: Auth,
    flow: Flow | None,
    code: str,
    *,
    iss: str | None,
    caller: Caller | None,
    drop_password: bool,
    address: str,
    now: datetime,
) -> tuple[Agent, str | None]:
    """Let in who came back: the agent, and a token unless it was to link his account.

    Opens its own transactions, so that no connection waits for the provider. Raises InvalidGrant,
    which always says the same, TooManyTries, ProviderUnavailable, and what linking raises.
    """
    workspace_id = flow.workspace_id if flow else attempts.NOWHERE
    async with one_try(config, workspace_id, address=address, now=now):
        if flow is None or flow.has_ended(now=now):
            raise refused("flow")
        if flow.purpose is Purpose.LINK and (caller is None or caller.actor.id != flow.concerns):
            raise refused("another agent")
        subject = await provider.subject(flow, code, iss=iss)
        async with transaction() as db:
            if caller is not None:
                return await _link(
                    db, caller, provider.issuer, subject, drop_password=drop_password, now=now
                )
            let_in = _join if flow.purpose is Purpose.INVITATION else _known
            agent = await let_in(db, flow, provider.issuer, subject, now=now)
            return agent, await _signed_in(db, agent, config, now=now)


@asynccontextmanager
async def one_try(
    config: Auth, workspace_id: WorkspaceId, *, address: str, now: datetime
) -> AsyncIterator[None]:
    """Count a try from an address before its block; raises TooManyTries.

    One that the block refuses (InvalidGrant) stays counted and is audited; any other end takes it back.
    """
    limits = (attempts.by_address(config, address),)
    async with transaction() as db:
        await attempts.count(db, workspace_id, limits, now=now)
    failure: ServiceError | None = None
    try:
        yield
    except ServiceError as error:
        failure = error
    if isinstance(failure, InvalidGrant):
        metrics.SIGN_INS_WRONG.inc()
        await _note_refusal(workspace_id, now=now)
    else:
        await _take_back(workspace_id, limits, now=now)
    if failure is not None:
        raise failure


async def _take_back(
    workspace_id: WorkspaceId, limits: Sequence[attempts.Subject], *, now: datetime
) -> None:
    async with transaction() as db:
        await attempts.take_back(db, workspace_id, limits, counted_at=now)


async def _note_refusal(workspace_id: WorkspaceId, *, now: datetime) -> None:
    """Audit it where there is a workspace whose audit log tells of it."""
    if workspace_id == attempts.NOWHERE:
        return
    async with transaction() as db:
        audit.record(
            db, workspace_id, audit.NOBODY, Act.SIGNED_IN, now=now, outcome=Outcome.REFUSED
        )


async def _known(
    db: AsyncSession, flow: Flow, issuer: str, subject: str, *, now: datetime
) -> Agent:
    """The active agent of the flow's workspace for whom this account stands."""
    agent = await identities.access_agent(db, flow.workspace_id, issuer, subject)
    if agent is None:
        raise refused("subject")
    return agent


async def _join(db: AsyncSession, flow: Flow, issuer: str, subject: str, *, now: datetime) -> Agent:
    """Use up an invitation: who was invited is an agent now, by this account."""
    here = OneTimeLink.workspace_id == flow.workspace_id
    link = (here, OneTimeLink.id == flow.concerns, *_good_invitation(now))
    invited = (
        select(Agent)
        .where(
            Agent.workspace_id == flow.workspace_id,
            Agent.id == select(OneTimeLink.agent_id).where(*link).scalar_subquery(),
            Agent.status == AgentStatus.INVITED,
        )
        .with_for_update(key_share=True)
    )
    agent = (await db.scalars(invited)).one_or_none()
    used = await db.execute(delete(OneTimeLink).where(*link).returning(OneTimeLink.id))
    if agent is None or used.first() is None:
        raise refused("invitation")
    await db.execute(delete(OneTimeLink).where(here, OneTimeLink.agent_id == agent.id))
    actor, target = _actor(agent), audit.Target("agent", agent.id)
    await identities.link(db, agent, issuer, subject, actor=actor, now=now)
    agent.status = AgentStatus.ACTIVE
    joined = AgentUpdated(
        workspace_id=agent.workspace_id, actor=actor, at=now, agent_id=agent.id, changed=["status"]
    )
    log.record(db, joined)
    audit.record(db, agent.workspace_id, actor, Act.AGENT_JOINED, now=now, target=target)
    return agent


async def _link(
    db: AsyncSession,
    caller: Caller,
    issuer: str,
    subject: str,
    *,
    drop_password: bool,
    now: datetime,
) -> tuple[Agent, None]:
    """Link an account to the agent who calls; his other logins end, and his password if he wants."""
    agent = await identities.access_self(db, caller)
    await identities.link(db, agent, issuer, subject, actor=caller.actor, now=now)
    if drop_password and agent.password_hash is not None:
        agent.password_hash = None
        audit.record(
            db,
            agent.workspace_id,
            caller.actor,
            Act.PASSWORD_CHANGED,
            now=now,
            target=audit.Target("agent", agent.id),
            fields=["password"],
            token_id=caller.token_id,
        )
    await identities.end_other_logins(db, caller, now=now)
    return agent, None


async def _signed_in(db: AsyncSession, agent: Agent, config: Auth, *, now: datetime) -> str:
    token = await new_login(db, agent, config, now=now)
    audit.record(
        db,
        agent.workspace_id,
        _actor(agent),
        Act.SIGNED_IN,
        now=now,
        target=audit.Target("agent", agent.id),
        token_id=TokenId(parse_opaque(token).id),
    )
    return token


def _good_invitation(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return OneTimeLink.purpose == LinkPurpose.INVITATION, OneTimeLink.expires_at > now


def _actor(agent: Agent) -> Actor:
    return Actor(AuthorType.AGENT, agent.id)
