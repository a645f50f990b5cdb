"""What the agents' list reads of the database: sessions as it shows them, and what has changed.

Each answer is of one snapshot. Leaves who is told what to `session_list`.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import queries as agents
from chat_service.auth import Caller
from chat_service.errors import CursorAhead, CursorExpired, CursorMismatch
from chat_service.events import log
from chat_service.events.feed import Reset
from chat_service.events.transaction import reading
from chat_service.realtime.rights import had_other_rights, is_move
from chat_service.realtime.session_list import Entry, Start, earlier
from chat_service.realtime.source import Audience
from chat_service.schema import Cursor, SessionId, WorkspaceId
from chat_service.sessions import queries as sessions
from chat_service.sessions import reach as views
from chat_service.sessions.reach import Counts, Reach
from chat_service.sessions.rendering import render
from chat_service.views.rendering import workspace_stream

FAR_BEHIND: Final = 5_000
"""From so many rows on, a new list is kinder than what has changed."""
AT_ONCE: Final = 500


class ListSource:
    """Reads of the agents' list."""

    async def entries(self, workspace_id: WorkspaceId, ids: Sequence[UUID]) -> list[Entry]:
        """Sessions by id; not in their order."""
        found: list[Entry] = []
        if not ids:
            return found
        async with reading() as db:
            for start in range(0, len(ids), AT_ONCE):
                some = [SessionId(one) for one in ids[start : start + AT_ONCE]]
                rows = await sessions.summaries_by_id(db, workspace_id, some)
                found += await _entries(db, workspace_id, list(rows.values()))
        return found

    async def first(self, reach: Reach, limit: int) -> list[Entry]:
        """The sessions that come first in a view."""
        async with reading() as db:
            return await _first(db, reach, limit)

    async def counts(self, workspace_id: WorkspaceId, reaches: Collection[Reach]) -> Counts:
        """How many sessions there are, as far as the sizes of these views go by it."""
        async with reading() as db:
            return await views.count(db, workspace_id, reaches)

    async def start(
        self,
        caller: Caller,
        reach: Reach,
        after: Cursor | None,
        *,
        size: int,
        counted: Collection[Reach],
    ) -> Start | Reset:
        """What to begin with behind a cursor, or why that cannot be; without one with everything.

        It cannot where the caller has had other rights since: what he was told is to be forgotten.
        """
        async with reading() as db:
            rows = [] if after is None else await _rows_behind(db, reach, after)
            if isinstance(rows, Reset):
                return rows
            present = await agents.with_present_rights(db, caller)
            other = after is not None and had_other_rights(caller, after, rows)
            if other or present.rights != caller.rights:
                return Reset.CURSOR_EXPIRED
            first = await _first(db, reach, size)
            counts = await views.count(db, reach.workspace_id, counted)
            if after is None:
                return Start(first, (), (), counts)
            gone = await _gone(db, reach, rows)
            changed = {row.session_id for row in rows if row.session_id is not None}
            pushed = await _pushed(db, reach, len(changed), size) if len(first) == size else ()
            # Where one has left, another that did not change has moved up and is new to the reader.
            known = () if gone else [one.id for one in first if one.id not in changed]
            return Start(first, known, [*gone, *pushed], counts)


async def _first(db: AsyncSession, reach: Reach, limit: int) -> list[Entry]:
    rows = await views.first(db, reach, limit=limit)
    return await _entries(db, reach.workspace_id, rows)


async def _rows_behind(db: AsyncSession, reach: Reach, after: Cursor) -> list[Any] | Reset:
    stream = workspace_stream(reach.workspace_id)
    if (await log.head(db, stream)).position - after.position > FAR_BEHIND:
        return Reset.TOO_FAR_BEHIND
    try:
        return list(await log.read(db, stream, after, limit=FAR_BEHIND))
    except CursorAhead:
        return Reset.CURSOR_AHEAD
    except CursorMismatch:
        return Reset.CURSOR_MISMATCH
    except CursorExpired:
        return Reset.CURSOR_EXPIRED


async def _gone(db: AsyncSession, reach: Reach, rows: Sequence[Any]) -> list[UUID]:
    """Of the sessions that these rows moved, those that stood in a view and do not now."""
    moved = moves(rows)
    found = await sessions.summaries_by_id(
        db, reach.workspace_id, [SessionId(one) for one in moved]
    )
    return [one for one, row in found.items() if has_left(reach, row, moved[one])]


async def _pushed(db: AsyncSession, reach: Reach, changed: int, size: int) -> Sequence[UUID]:
    """Those that may have stood among the first until so many others changed."""
    return await views.ids_beyond(db, reach, offset=size, limit=changed) if changed else ()


def moves(rows: Sequence[Any]) -> dict[UUID, list[Any]]:
    """The rows of each session that some row gave another holder, team or status."""
    of: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        if row.session_id is not None:
            of[row.session_id].append(row)
    return {one: its for one, its in of.items() if any(is_move(row) for row in its)}


def has_left(reach: Reach, session: Row[Any], rows: Sequence[Any]) -> bool:
    """Whether a session stood in a view before one of its rows, and does not now."""
    stands = (session.assignee_id, session.team_id, session.status)
    return not reach.has(*stands) and any(reach.has(*stood) for stood in earlier(rows, *stands))


async def _entries(
    db: AsyncSession, workspace_id: WorkspaceId, rows: Sequence[Row[Any]]
) -> list[Entry]:
    shown = await render(db, Audience(workspace_id, is_customer=False), rows)
    return [
        Entry(
            id=row.id,
            version=row.version,
            assignee_id=row.assignee_id,
            team_id=row.team_id,
            status=row.status,
            moved_at=row.last_activity_at,
            view=view.model_dump_json().encode(),
        )
        for row, view in zip(rows, shown, strict=True)
    ]
