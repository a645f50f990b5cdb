"""Pages of a log, rendered: where they begin, where they end, and what stands on them."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.auth import Caller
from chat_service.errors import (
    CursorAhead,
    CursorExpired,
    CursorInvalid,
    CursorMismatch,
    ServiceError,
)
from chat_service.events import log
from chat_service.events.log import Stream
from chat_service.schema import Cursor
from chat_service.views.rendering import render
from chat_service.views.transport import EVENTS_AT_MOST, EventPage

CURSOR_ERRORS: Final[list[type[ServiceError]]] = [
    CursorInvalid,
    CursorExpired,
    CursorMismatch,
    CursorAhead,
]


async def page(
    db: AsyncSession,
    who: Caller,
    stream: Stream,
    after: Cursor,
    *,
    limit: int,
    types: set[str] | None = None,
) -> EventPage:
    """One page. Events of other types are left out, and move the cursor all the same."""
    limit = min(limit, EVENTS_AT_MOST)
    rows = await log.read(db, stream, after, limit=limit + 1)
    shown = rows[:limit]
    end = str(after)
    if shown:
        last = shown[-1]
        end = str(stream.cursor(getattr(last, str(stream.number.key)), last.id))
    elif after.fence is None and after.position:
        end = str(await log.head(db, stream))
    wanted = [row for row in shown if types is None or row.type in types]
    data = await render(db, who, wanted, kind=stream.kind)
    return EventPage(data=data, next_cursor=end, has_more=len(rows) > limit)
