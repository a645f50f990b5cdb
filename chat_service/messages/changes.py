"""Change what was said: edit and delete, recorded as events. The numbers of a message never change."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.auth import Caller
from chat_service.config import Limits
from chat_service.errors import EditWindowPassed, Forbidden, NotFound
from chat_service.events import log
from chat_service.events.schema import MessageDeleted, MessageUpdated, audience_of
from chat_service.messages.drafts import check_sizes
from chat_service.model import ChatMessage, ChatSession
from chat_service.schema import Permission


async def edit(
    db: AsyncSession,
    caller: Caller,
    session: ChatSession,
    message: ChatMessage,
    content: dict[str, Any],
    *,
    limits: Limits,
    now: datetime,
) -> ChatMessage:
    """Change the words of one's own message of a locked session, inside the edit window.

    The same words again change and record nothing. Raises Forbidden, EditWindowPassed, NotFound.
    """
    check_sizes(content, {}, {}, limits)
    if message.deleted_at is not None:
        raise NotFound("The message was deleted")
    _require_author(caller, message)
    _require_window(message, limits, now)
    if message.content == content:
        return message
    message.content, message.edited_at = content, now
    message.version += 1
    updated = MessageUpdated(**_about(caller, message, now), changed=["content"])
    log.record(db, updated, session)
    return message


async def delete(
    db: AsyncSession,
    caller: Caller,
    session: ChatSession,
    message: ChatMessage,
    *,
    limits: Limits,
    now: datetime,
) -> None:
    """Turn a message of a locked session into a tombstone that keeps its numbers.

    The author may inside the edit window, who has `messages:delete` at any time. A repeat changes
    nothing.
    """
    if Permission.MESSAGES_DELETE not in caller.permissions:
        _require_author(caller, message)
        if message.deleted_at is None:
            _require_window(message, limits, now)
    if message.deleted_at is not None:
        return
    message.content = message.fingerprint = None
    message.metadata_, message.public_metadata = {}, {}
    message.deleted_at = now
    message.version += 1
    log.record(db, MessageDeleted(**_about(caller, message, now)), session)


def _about(caller: Caller, message: ChatMessage, now: datetime) -> dict[str, Any]:
    return {
        "workspace_id": message.workspace_id,
        "session_id": message.session_id,
        "message_id": message.id,
        "audience": audience_of(message.visibility),
        "actor": caller.actor,
        "at": now,
    }


def _require_author(caller: Caller, message: ChatMessage) -> None:
    if message.author_slot != caller.actor.slot:
        raise Forbidden("Only the author may do this")


def _require_window(message: ChatMessage, limits: Limits, now: datetime) -> None:
    if now - message.created_at > timedelta(seconds=limits.edit_seconds):
        raise EditWindowPassed()
