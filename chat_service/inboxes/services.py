"""Make inboxes and change their rules."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import NOBODY, Target
from chat_service.auth import Caller
from chat_service.events import log
from chat_service.events.schema import InboxUpdated
from chat_service.model import Inbox
from chat_service.schema import Actor, InboxId, TokenId, WorkspaceId, new_id
from chat_service.workspaces.bounds import require_room

REOPEN_SECONDS: Final = 86_400


async def create(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    *,
    name: str,
    allowed_origins: Sequence[str],
    now: datetime,
    reopen_seconds: int = REOPEN_SECONDS,
    reply_claims: bool = True,
    assignee_only: bool = False,
    actor: Actor = NOBODY,
    token_id: TokenId | None = None,
) -> Inbox:
    """An inbox; by default answering claims, and colleagues may join a chat. Raises TooMany."""
    await require_room(db, Inbox, Inbox.workspace_id == workspace_id)
    inbox = Inbox(
        workspace_id=workspace_id,
        id=InboxId(new_id()),
        name=name,
        allowed_origins=list(allowed_origins),
        reopen_seconds=reopen_seconds,
        reply_claims=reply_claims,
        assignee_only=assignee_only,
        created_at=now,
    )
    db.add(inbox)
    await db.flush()
    fields = ("name", "allowed_origins", "reopen_seconds", "reply_claims", "assignee_only")
    _note(db, inbox, actor, Act.INBOX_CREATED, fields, now=now, token_id=token_id)
    return inbox


async def change(
    db: AsyncSession, caller: Caller, inbox: Inbox, fields: Mapping[str, Any], *, now: datetime
) -> None:
    """Set fields of a locked inbox; what is as it was is neither set nor noted.

    Changed origins hold for the next request, socket and preflight, or `auth.recheck_seconds` later
    where those of all inboxes were read just before.
    """
    changed = {name: to for name, to in fields.items() if getattr(inbox, name) != to}
    if not changed:
        return
    for name, value in changed.items():
        setattr(inbox, name, value)
    _note(db, inbox, caller.actor, Act.INBOX_UPDATED, changed, now=now, token_id=caller.token_id)


def _note(
    db: AsyncSession,
    inbox: Inbox,
    actor: Actor,
    act: Act,
    fields: Sequence[str] | Mapping[str, Any],
    *,
    now: datetime,
    token_id: TokenId | None,
) -> None:
    """Tell of an inbox that was made or changed, in the log of events and in that of acts."""
    place = inbox.workspace_id
    log.record(db, InboxUpdated(workspace_id=place, actor=actor, at=now, inbox_id=inbox.id))
    target = Target("inbox", inbox.id)
    audit.record(
        db, place, actor, act, now=now, target=target, fields=list(fields), token_id=token_id
    )
