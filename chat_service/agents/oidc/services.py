"""Sign-in by the word of a provider (OpenID Connect): where it begins, and what comes of it.

Owns the three things a way to the provider may be for: signing in, linking an account, accepting an
invitation. Who somebody is is told by issuer and subject alone: an e-mail opens nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import attempts, links
from chat_service.agents import services as agents
from chat_service.agents.gate import Gate
from chat_service.agents.logins import Device
from chat_service.agents.oidc import identities
from chat_service.agents.oidc.flow import Flow, Purpose, new_flow, seal, state_of
from chat_service.agents.oidc.provider import Provider, refused
from chat_service.agents.proof import one_try
from chat_service.agents.signing_in import let_in
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import Target
from chat_service.auth import Caller
from chat_service.events.transaction import looking, transaction
from chat_service.model import Agent
from chat_service.schema import Actor, AgentStatus, AuthorType, WorkspaceId
from chat_service.tokens import Keys
from chat_service.workspaces import queries as workspaces


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
    gate: Gate, text: str, *, address: str, now: datetime
) -> tuple[WorkspaceId, UUID]:
    """The workspace and the id of an invitation's link, which is not used up by that.

    Raises InvalidGrant, and TooManyTries.
    """
    given = links.parse_link(text)
    async with looking() as db:
        tenant = await workspaces.by_id(db, given.workspace_id) if given else None
        agent = await links.holder(db, given, now=now) if given and tenant else None
    workspace_id = tenant.id if tenant else attempts.NOWHERE
    limits = [gate.link_limit(address)]
    async with one_try(workspace_id, limits, Act.AGENT_JOINED, now=now):
        if given is None or agent is None or agent.status is not AgentStatus.INVITED:
            raise refused("invitation")
    return workspace_id, given.id


async def finish(
    provider: Provider,
    gate: Gate,
    flow: Flow | None,
    code: str,
    *,
    iss: str | None,
    caller: Caller | None,
    drop_password: bool,
    device: Device,
    now: datetime,
) -> tuple[Agent, str | None]:
    """Let in who came back: the agent, and a token unless it was to link his account.

    Opens its own transactions, so that no connection waits for the provider. Raises InvalidGrant,
    which always says the same, TooManyTries, ProviderUnavailable, and what linking raises.
    """
    workspace_id = flow.workspace_id if flow else attempts.NOWHERE
    limits, act = [gate.address_limit(device.address)], Act.SIGNED_IN
    async with one_try(workspace_id, limits, act, now=now):
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
            find = _join if flow.purpose is Purpose.INVITATION else _known
            agent = await find(db, flow, provider.issuer, subject, now=now)
            return agent, await let_in(db, agent, device, gate.config, act, now=now)


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
    agent = await links.take_invitation(db, flow.workspace_id, flow.concerns, now=now)
    if agent is None:
        raise refused("invitation")
    actor, target = Actor(AuthorType.AGENT, agent.id), Target("agent", agent.id)
    await identities.link(db, agent, issuer, subject, actor=actor, now=now)
    agent.status = AgentStatus.ACTIVE
    agents.note_update(db, agent, actor, ["status"], now=now)
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
    """Link an account to the agent who calls, who showed his password when he began.

    His other logins and his links end, and his password if he wants.
    """
    agent = await identities.access_self(db, caller)
    await identities.link(db, agent, issuer, subject, actor=caller.actor, now=now)
    if drop_password and agent.password_hash is not None:
        agent.password_hash = None
        audit.record_by(
            db,
            caller,
            Act.PASSWORD_CHANGED,
            now=now,
            target=Target("agent", agent.id),
            fields=["password"],
        )
    await links.end_links(db, agent.workspace_id, agent.id)
    await identities.end_other_logins(db, caller, now=now)
    return agent, None
