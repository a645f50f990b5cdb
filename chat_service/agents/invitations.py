"""Invite somebody to become an agent, by a link that is good once.

Owns the text of such a link. The secret of it is 256 random bits, stored as SHA-256.
"""

import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import services
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import Target
from chat_service.model import Agent, OneTimeLink
from chat_service.schema import (
    Actor,
    AgentStatus,
    LinkId,
    LinkPurpose,
    Role,
    RoleId,
    TokenId,
    WorkspaceId,
    new_id,
)
from chat_service.tokens import hash_secret, opaque_token

DAYS: Final = 7
"""How long an invitation is good."""


async def invite(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    actor: Actor,
    *,
    email: str,
    name: str,
    role: Role,
    now: datetime,
    role_id: RoleId | None = None,
    token_id: TokenId | None = None,
) -> tuple[Agent, str]:
    """An agent who has yet to choose a password, and the one-time token to do it with.

    The database refuses an e-mail that is taken in the workspace.
    """
    agent = await services.create(
        db,
        workspace_id,
        email=email,
        name=name,
        role=role,
        password_hash=None,
        now=now,
        status=AgentStatus.INVITED,
        role_id=role_id,
        actor=actor,
    )
    link_id, secret = LinkId(new_id()), secrets.token_hex(32)
    db.add(
        OneTimeLink(
            workspace_id=workspace_id,
            id=link_id,
            agent_id=agent.id,
            purpose=LinkPurpose.INVITATION,
            secret_hash=hash_secret(secret),
            expires_at=now + timedelta(days=DAYS),
        )
    )
    audit.record(
        db,
        workspace_id,
        actor,
        Act.AGENT_INVITED,
        now=now,
        target=Target("agent", agent.id),
        fields=["email", "name", "role"],
        token_id=token_id,
    )
    await db.flush()
    return agent, opaque_token("il", workspace_id, link_id, secret)


def invitation_url(public_url: str, token: str) -> str | None:
    """Where a browser takes a token; its last part is never sent to a server, nor into its logs.

    Made from the configuration alone: None without a `server.public_url`.
    """
    return f"{public_url}/invitation#{token}" if public_url else None
