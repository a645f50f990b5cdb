"""Make a workspace."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.model import FeedHead, Workspace
from chat_service.schema import WorkspaceId, new_id


async def create(db: AsyncSession, *, slug: str, name: str, now: datetime) -> Workspace:
    """A workspace and the head of its log, from the first moment at position 0."""
    workspace = Workspace(id=WorkspaceId(new_id()), slug=slug, name=name, created_at=now)
    db.add(workspace)
    await db.flush()
    db.add(FeedHead(workspace_id=workspace.id, pos=0, last_id=None, floor=0))
    await db.flush()
    return workspace
