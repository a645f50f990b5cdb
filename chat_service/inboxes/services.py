"""Make an inbox."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.events import log
from chat_service.events.schema import InboxUpdated
from chat_service.model import Inbox
from chat_service.schema import Actor, AuthorType, InboxId, WorkspaceId, new_id

REOPEN_SECONDS: Final = 86_400


async def create(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    *,
    name: str,
    allowed_origins: Sequence[str],
    now: datetime,
) -> Inbox:
    """An inbox with the usual rules: answering claims, and colleagues may join a chat."""
    inbox = Inbox(
        workspace_id=workspace_id,
        id=InboxId(new_id()),
        name=name,
        allowed_origins=list(allowed_origins),
        reopen_seconds=REOPEN_SECONDS,
        reply_claims=True,
        assignee_only=False,
        created_at=now,
    )
    db.add(inbox)
    await db.flush()
    system = Actor(AuthorType.SYSTEM, None)
    made = InboxUpdated(workspace_id=workspace_id, actor=system, at=now, inbox_id=inbox.id)
    log.record(db, made)
    return inbox
