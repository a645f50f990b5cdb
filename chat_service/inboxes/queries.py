"""Find inboxes, by their public keys or in their workspace."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.errors import NotFound, OriginNotAllowed
from chat_service.model import Inbox
from chat_service.schema import InboxId, WorkspaceId


def inbox_key(inbox: Inbox) -> str:
    """The public key that names an inbox: `ib_<workspace>_<inbox>`."""
    return f"ib_{inbox.workspace_id.hex}_{inbox.id.hex}"


async def access(db: AsyncSession, key: str, origin: str | None) -> Inbox:
    """The inbox of a public key, for a page of `origin`; raises NotFound or OriginNotAllowed.

    Callers without origin are no browser pages: apps and servers. They are let in.
    """
    inbox = await access_by_id(db, *parse_key(key))
    if origin is not None and origin not in inbox.allowed_origins:
        raise OriginNotAllowed()
    return inbox


async def access_by_id(
    db: AsyncSession, workspace_id: WorkspaceId, inbox_id: UUID, *, lock: bool = False
) -> Inbox:
    """An inbox of a workspace, for writing with `lock`; raises NotFound."""
    query = select(Inbox).where(Inbox.workspace_id == workspace_id, Inbox.id == inbox_id)
    if lock:
        query = query.with_for_update(key_share=True)
    inbox = (await db.scalars(query)).one_or_none()
    if inbox is None:
        raise NotFound()
    return inbox


async def every(db: AsyncSession, workspace_id: WorkspaceId) -> Sequence[Inbox]:
    """All inboxes of a workspace, oldest first."""
    query = select(Inbox).where(Inbox.workspace_id == workspace_id)
    return (await db.scalars(query.order_by(Inbox.created_at, Inbox.id))).all()


def parse_key(key: str) -> tuple[WorkspaceId, InboxId]:
    """The ids in a public key, whichever way it is spelt; raises NotFound where there are none."""
    try:
        prefix, workspace, inbox = key.split("_")
        workspace_id, inbox_id = WorkspaceId(UUID(workspace)), InboxId(UUID(inbox))
    except ValueError:
        raise NotFound() from None
    if prefix != "ib":
        raise NotFound()
    return workspace_id, inbox_id
