"""One-time links: the right to choose a password once, for who is invited and who forgot his.

A link `il_<workspace>_<id>_<secret>` has 256 random bits, is stored as SHA-256, and its use deletes it.
Owns making and finding them; what is done by one is known to `joining`.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.config import Auth
from chat_service.errors import Unauthenticated
from chat_service.model import Agent, OneTimeLink
from chat_service.schema import (
    AgentId,
    AgentStatus,
    LinkId,
    LinkPurpose,
    RoleId,
    WorkspaceId,
    new_id,
)
from chat_service.tokens import Opaque, hash_secret, opaque_token, parse_opaque

PREFIX: Final = "il"
SECRET_BYTES: Final = 32
PAGE: Final = "/console/link"
PURPOSE_OF: Final = {
    AgentStatus.INVITED: LinkPurpose.INVITATION,
    AgentStatus.ACTIVE: LinkPurpose.RECOVERY,
}
"""What a link is for, by who is given it; who was deactivated is given none."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it is told once."""

    token: str
    expires_at: datetime

    def url(self, public_url: str) -> str | None:
        """Where it leads. What follows `#` is sent to no server and stands in no log.

        It begins with `server.public_url` alone, and with nothing that a request says of itself.
        """
        return f"{public_url.rstrip('/')}{PAGE}#{self.token}" if public_url else None

    def text(self, public_url: str) -> str:
        """What is printed: where it leads, or the bare token where nobody knows."""
        return self.url(public_url) or self.token


async def issue(
    db: AsyncSession, agent: Agent, config: Auth, *, now: datetime, beside: bool = False
) -> Link:
    """A new link for an agent, who is invited or active.

    The older ones of the agent end, but for those `beside` it: whoever asks for a link from outside
    must not take another's away.
    """
    purpose = PURPOSE_OF[agent.status]
    old = (OneTimeLink.expires_at <= now,) if beside else ()
    await end_links(db, agent.workspace_id, agent.id, *old)
    seconds = config.recovery_seconds
    if purpose is LinkPurpose.INVITATION:
        seconds = config.invitation_seconds
    link_id, secret = LinkId(new_id()), secrets.token_hex(SECRET_BYTES)
    expires_at = now + timedelta(seconds=seconds)
    db.add(
        OneTimeLink(
            workspace_id=agent.workspace_id,
            id=link_id,
            agent_id=agent.id,
            purpose=purpose,
            secret_hash=hash_secret(secret),
            expires_at=expires_at,
        )
    )
    await db.flush()
    return Link(opaque_token(PREFIX, agent.workspace_id, link_id, secret), expires_at)


async def end_links(
    db: AsyncSession, workspace_id: WorkspaceId, agent_id: AgentId, *which: ColumnElement[bool]
) -> None:
    """Let the links of an agent open nothing any more."""
    mine = (OneTimeLink.workspace_id == workspace_id, OneTimeLink.agent_id == agent_id)
    await db.execute(delete(OneTimeLink).where(*mine, *which))


async def end_links_of_role(db: AsyncSession, workspace_id: WorkspaceId, role_id: RoleId) -> None:
    """The same of all who have a role that is to hold more: they were given for less."""
    holders = select(Agent.id).where(Agent.workspace_id == workspace_id, Agent.role_id == role_id)
    which = OneTimeLink.agent_id.in_(holders.scalar_subquery())
    await db.execute(delete(OneTimeLink).where(OneTimeLink.workspace_id == workspace_id, which))


def parse_link(text: str) -> Opaque | None:
    """A link taken apart; None for what never was one."""
    try:
        given = parse_opaque(text)
    except Unauthenticated:
        return None
    return given if given.prefix == PREFIX else None


async def holder(db: AsyncSession, given: Opaque, *, now: datetime) -> Agent | None:
    """Whose link this is, as long as it is good; it stays so."""
    agents = (Agent.workspace_id == OneTimeLink.workspace_id) & (Agent.id == OneTimeLink.agent_id)
    found = await db.execute(
        select(Agent, OneTimeLink.purpose)
        .join(OneTimeLink, agents)
        .where(*_is(given), OneTimeLink.expires_at > now)
    )
    agent, purpose = found.one_or_none() or (None, None)
    return agent if agent and PURPOSE_OF.get(agent.status) is purpose else None


async def take_invitation(
    db: AsyncSession, workspace_id: WorkspaceId, link_id: UUID | None, *, now: datetime
) -> Agent | None:
    """Use an invitation whose link was shown before: who was invited, locked; else None.

    His other links end with it.
    """
    here = (OneTimeLink.workspace_id == workspace_id, OneTimeLink.id == link_id)
    good = (OneTimeLink.purpose == LinkPurpose.INVITATION, OneTimeLink.expires_at > now)
    invited = select(Agent).where(
        Agent.workspace_id == workspace_id,
        Agent.id == select(OneTimeLink.agent_id).where(*here).scalar_subquery(),
        Agent.status == AgentStatus.INVITED,
    )
    agent = (await db.scalars(invited.with_for_update(key_share=True))).one_or_none()
    used = await db.execute(delete(OneTimeLink).where(*here, *good).returning(OneTimeLink.id))
    if agent is None or used.first() is None:
        return None
    await end_links(db, workspace_id, agent.id)
    return agent


async def use_up(db: AsyncSession, given: Opaque, agent: Agent, *, now: datetime) -> bool:
    """Use a link of a locked agent; False for one that is used, too old, or for another state."""
    query = (
        delete(OneTimeLink)
        .where(
            *_is(given),
            OneTimeLink.agent_id == agent.id,
            OneTimeLink.purpose == PURPOSE_OF.get(agent.status),
            OneTimeLink.expires_at > now,
        )
        .returning(OneTimeLink.id)
    )
    return (await db.execute(query)).first() is not None


def _is(given: Opaque) -> tuple[ColumnElement[bool], ...]:
    return (
        OneTimeLink.workspace_id == given.workspace_id,
        OneTimeLink.id == given.id,
        OneTimeLink.secret_hash == hash_secret(given.secret),
    )
