"""Make a workspace and invite its owner, all or nothing."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents.accounts import add_invited
from chat_service.agents.attempts import NOWHERE
from chat_service.agents.links import Link
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import NOBODY, Target
from chat_service.config import Auth
from chat_service.errors import SlugTaken
from chat_service.model import Agent, Workspace
from chat_service.schema import Outcome, Role
from chat_service.workspaces import services as workspaces


@dataclass(frozen=True, slots=True)
class Founded:
    """A workspace with its owner, and the link by which he gets in."""

    workspace: Workspace
    owner: Agent
    link: Link


async def make(db: AsyncSession, *, slug: str, name: str, now: datetime) -> Workspace:
    """A workspace that nobody is in yet; raises SlugTaken."""
    try:
        workspace = await workspaces.create(db, slug=slug, name=name, now=now)
    except IntegrityError:
        raise SlugTaken(f"There is a workspace {slug}") from None
    audit.record(
        db,
        workspace.id,
        NOBODY,
        Act.WORKSPACE_CREATED,
        now=now,
        target=Target("workspace", workspace.id),
        fields=["name", "slug"],
    )
    return workspace


async def found(
    db: AsyncSession,
    config: Auth,
    *,
    slug: str,
    name: str,
    owner_email: str,
    owner_name: str,
    now: datetime,
) -> Founded:
    """A workspace, and an owner who is invited; raises SlugTaken."""
    workspace = await make(db, slug=slug, name=name, now=now)
    owner, link = await add_invited(
        db,
        workspace.id,
        NOBODY,
        config,
        email=owner_email,
        name=owner_name,
        role=Role.OWNER,
        now=now,
    )
    return Founded(workspace, owner, link)


def note_refusal(db: AsyncSession, *, now: datetime) -> None:
    """Somebody showed another token than the installation's."""
    refused = Outcome.REFUSED
    audit.record(db, NOWHERE, NOBODY, Act.WORKSPACE_CREATED, now=now, outcome=refused)
