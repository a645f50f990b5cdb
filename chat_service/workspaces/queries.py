"""Find workspaces."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.model import Workspace
from chat_service.schema import WorkspaceId


async def by_slug(db: AsyncSession, slug: str | None) -> Workspace | None:
    """The workspace of that slug; without one the only workspace of the installation."""
    query = select(Workspace).limit(2)
    if slug is not None:
        query = query.where(Workspace.slug == slug)
    found = (await db.scalars(query)).all()
    return found[0] if len(found) == 1 else None


async def is_known(db: AsyncSession, workspace_id: WorkspaceId) -> bool:
    """Whether there is a workspace of that id."""
    query = select(Workspace.id).where(Workspace.id == workspace_id)
    return (await db.scalar(query)) is not None


async def exist(db: AsyncSession) -> bool:
    """Whether there is any workspace at all."""
    return (await db.scalar(select(Workspace.id).limit(1))) is not None
