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


async def by_id(db: AsyncSession, workspace_id: WorkspaceId) -> Workspace | None:
    """The workspace of that id, if there is one."""
    return await db.get(Workspace, workspace_id)


async def exist(db: AsyncSession) -> bool:
    """Whether there is any workspace at all."""
    return (await db.scalar(select(Workspace.id).limit(1))) is not None
