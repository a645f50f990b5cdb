"""A session as it is at one moment: what a reader begins with, and what it follows from there."""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from chat_service.auth import Caller
from chat_service.events.source import Head, Side
from chat_service.events.transaction import reading
from chat_service.messages import paging
from chat_service.messages.paging import MessagesQuery
from chat_service.messages.transport import message_view
from chat_service.realtime.heads import session_heads
from chat_service.realtime.source import KINDS
from chat_service.schema import Cursor, SessionId
from chat_service.sessions import queries as sessions
from chat_service.sessions.rendering import render_one
from chat_service.transport import Json

MESSAGES_BYTES: Final = 48_000
"""Of messages in a snapshot: with the session before them a frame has less than 64 KiB."""


async def read_snapshot(
    caller: Caller, session_id: SessionId, side: Side, *, messages: int
) -> tuple[Head, dict[str, Any]]:
    """The head of a session and the session with its newest messages, of one moment.

    Raises NotFound where the caller may not see the session.
    """
    async with reading() as db:
        session = await sessions.access(db, caller, session_id)
        end = (caller.workspace_id, session_id, side, None)
        head = (await session_heads(db, [end]))[end]
        view = await render_one(db, caller, await sessions.summary(db, caller, session_id))
        said, _ = await paging.page(db, caller, session, MessagesQuery(limit=max(messages, 1)))
    shown = {
        "as_of_seq": head.number,
        "cursor": str(Cursor(KINDS[side], head.number, head.fence)),
        "session": view.model_dump(mode="json"),
        "messages": _newest(
            [
                message_view(caller.is_customer, each, each["author_name"])
                for each in said[:messages]
            ]
        ),
    }
    return head, shown


def _newest(messages: Sequence[Json]) -> Sequence[Json]:
    """As many of the newest as fit into a frame, but at least one; older ones come by paging."""
    size = 0
    for count, message in enumerate(reversed(messages)):
        size += len(orjson.dumps(message)) + 1
        if count and size > MESSAGES_BYTES:
            return messages[-count:]
    return messages
