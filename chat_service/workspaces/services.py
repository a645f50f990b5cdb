"""Make a workspace, and give it another name."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import Target
from chat_service.auth import Caller
from chat_service.model import FeedHead, Workspace
from chat_service.schema import WorkspaceId, new_id
from chat_service.workspaces import queries


async def create(db: AsyncSession, *, slug: str, name: str, now: datetime) -> Workspace:
    """A workspace and the head of its log, from the first moment at position 0."""
    workspace = Workspace(id=WorkspaceId(new_id()), slug=slug, name=name, created_at=now)
    db.add(workspace)
    await db.flush()
    db.add(FeedHead(workspace_id=workspace.id, pos=0, last_id=None, floor=0))
    await db.flush()
    return workspace


async def rename(db: AsyncSession, caller: Caller, name: str | None, *, now: datetime) -> Workspace:
    """Give the caller's workspace another name; None or the same one changes and notes nothing."""
    workspace = await queries.own(db, caller.workspace_id, lock=True)
    if name is not None and name != workspace.name:
        workspace.name = name
        target = Target("workspace", workspace.id)
        audit.record_by(db, caller, Act.WORKSPACE_UPDATED, now=now, target=target, fields=["name"])
    return workspace
