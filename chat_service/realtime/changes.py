"""What has changed in the agents' list, over HTTP: pages, the wait of a long-poll, a stream.

Nothing is remembered of a caller: each page is read behind his cursor. The list of his workspace
only tells when it is worth reading.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import queries as agents
from chat_service.auth import Caller
from chat_service.errors import CursorAhead, CursorExpired, CursorMismatch
from chat_service.events import log
from chat_service.events.feed import Reset
from chat_service.events.transaction import reading
from chat_service.realtime.hub import Hub
from chat_service.realtime.list_source import FAR_BEHIND, has_left, moves
from chat_service.realtime.listener import Listener
from chat_service.realtime.peer import Door
from chat_service.realtime.rights import had_other_rights
from chat_service.realtime.session_list import FRAME_SECONDS, SILENT_ROWS, Entry
from chat_service.realtime.streams import HEARTBEAT_SECONDS, OPENING, heartbeat, sse_event
from chat_service.realtime.transport import ChangesPage
from chat_service.schema import Cursor, SessionId, View
from chat_service.sessions import queries as sessions
from chat_service.sessions.reach import Counts, Reach, reach_of
from chat_service.sessions.rendering import render
from chat_service.views.rendering import workspace_stream

SESSIONS_AT_MOST: Final = 200
ROWS_AT_MOST: Final = 1_000
"""A page ends there too, however few sessions these rows are of."""
CHANGED: Final = "sessions.changed"


async def read_changes(
    db: AsyncSession, caller: Caller, view: View, after: Cursor, *, limit: int
) -> ChangesPage:
    """What has changed in a view behind a cursor, of at most `limit` sessions.

    Raises CursorExpired, also where the cursor is more than 5,000 rows behind or the caller got
    other rights, CursorAhead and CursorMismatch: the view is to be listed anew.
    """
    stream = workspace_stream(caller.workspace_id)
    if (await log.head(db, stream)).position - after.position > FAR_BEHIND:
        raise CursorExpired()
    rows = await log.read(db, stream, after, limit=ROWS_AT_MOST + 1)
    taken = _upto(rows[:ROWS_AT_MOST], sessions_at_most=min(limit, SESSIONS_AT_MOST))
    if had_other_rights(caller, after, taken):
        raise CursorExpired("Your own rights have changed")
    reach = reach_of(await agents.with_present_rights(db, caller), view)
    ids = list(dict.fromkeys(row.session_id for row in taken if row.session_id is not None))
    found = await sessions.summaries_by_id(db, caller.workspace_id, ids) if ids else {}
    moved = moves(taken)
    standing = [
        found[one]
        for one in ids
        if one in found and reach.has(found[one].assignee_id, found[one].team_id, found[one].status)
    ]
    end = stream.cursor(taken[-1].pos, taken[-1].id) if taken else after
    changed: list[Any] = await render(db, caller, standing)
    return ChangesPage.model_construct(
        changed=changed,
        removed=[one for one in moved if one in found and has_left(reach, found[one], moved[one])],
        next_cursor=str(end),
        has_more=len(taken) < len(rows),
    )


def _upto(rows: Sequence[Any], *, sessions_at_most: int) -> Sequence[Any]:
    """The rows before that of one session too many."""
    seen: set[SessionId] = set()
    for count, row in enumerate(rows):
        if row.session_id is not None:
            seen.add(row.session_id)
        if len(seen) > sessions_at_most:
            return rows[:count]
    return rows


class Changes:
    """One caller's reading of a view from a cursor on.

    It is a reader of the list that is told nothing but that there may be something.
    """

    def __init__(
        self, hub: Hub, caller: Caller, view: View, after: Cursor, *, limit: int, door: Door
    ) -> None:
        self.reach: Final[Reach] = reach_of(caller, view)
        self.counted: Final[Mapping[View, Reach]] = {}
        self.lacks: Final = 0
        self.after = after
        self._lists = hub.lists
        self._caller = caller
        self._view: View = view
        self._limit = limit
        self._listener = Listener(hub, caller, None, door=door)
        self.wake = self._listener.wake

    async def enter(self) -> None:
        """Hear of changes from now on; `leave` has to follow. Raises Overloaded."""
        self._listener.enter()
        await self._lists.enter(self).position()

    def leave(self) -> None:
        """Hear of them no more; harmless where it has not entered, or left before."""
        if self._listener.inside:
            self._lists.leave(self)
            self._listener.leave()

    async def read(self) -> ChangesPage:
        """The next page; raises as `read_changes`."""
        async with reading() as db:
            page = await read_changes(db, self._caller, self._view, self.after, limit=self._limit)
        self.after = Cursor.parse(page.next_cursor)
        return page

    async def wait(self, seconds: float) -> ChangesPage:
        """The next page that holds something, or at last an empty one."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while True:
            page = await self.read()
            left = end - loop.time()
            if has_news(page) or self._listener.ended is not None or left <= 0:
                return page
            await self._listener.wait(left)

    async def chunks(
        self, first: ChangesPage, may_go_on: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[bytes]:
        """Server-sent events from the first page on, until the caller leaves or the service ends.

        It has entered before, and has left when they end.
        """
        try:
            yield OPENING
            async for chunk in self._tell(first, may_go_on):
                yield chunk
        except (CursorAhead, CursorMismatch, CursorExpired) as error:
            yield sse_event("reset", orjson.dumps({"reason": error.code}))
        finally:
            self.leave()

    async def _tell(
        self, first: ChangesPage, may_go_on: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[bytes]:
        page, told = first, self.after.position
        while self._listener.ended is None and await may_go_on():
            if has_news(page) or self.after.position - told >= SILENT_ROWS:
                told = self.after.position
                yield _event(page)
                await asyncio.sleep(0 if page.has_more else FRAME_SECONDS)
            elif page is not first and not await self._listener.wait(HEARTBEAT_SECONDS):
                yield heartbeat()
            page = await self.read()

    def is_due(self, now: float) -> bool:
        """It is told at once: reading takes its time."""
        return True

    def are_counts_due(self, now: float) -> bool:
        """It has no counts."""
        return False

    def take(self, entries: Sequence[Entry], mark: Cursor) -> None:
        """Something changed that may concern it."""

    def fill(self, entries: Sequence[Entry]) -> None:
        """It lacks nothing."""

    def count(self, counts: Counts) -> bool:
        """It has no counts."""
        return False

    def lose(self, reason: Reset) -> None:
        """The log was set back; reading finds out how far."""
        self.wake()


def has_news(page: ChangesPage) -> bool:
    """Whether there is anything in a page but its cursor."""
    return bool(page.changed or page.removed or page.has_more)


def _event(page: ChangesPage) -> bytes:
    cursor = page.next_cursor.encode()
    return b"id: %s\n" % cursor + sse_event(CHANGED, page.model_dump_json().encode())
