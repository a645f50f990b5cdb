"""Where readers begin in the logs of their sessions: of any number of sessions by three queries."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import Row, ScalarSelect, Select, and_, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.events.log import EVENTS
from chat_service.events.source import Head, Side
from chat_service.schema import SessionId, WorkspaceId, fence
from chat_service.sessions.marks import Place
from chat_service.sessions.queries import SESSIONS
from chat_service.sessions.watermarks import named

Beginning = tuple[WorkspaceId, SessionId, Side, int | None]
"""A session, whose numbering, and a position in it; None stands for its end."""
Position = tuple[WorkspaceId, SessionId, int]
NUMBERS: Final = {Side.STAFF: EVENTS.c.seq, Side.CUSTOMER: EVENTS.c.public_seq}


async def session_heads(
    db: AsyncSession, beginnings: Collection[Beginning]
) -> dict[Beginning, Head]:
    """What begins at each of these positions."""
    ends = await _ends(db, {beginning[:2] for beginning in beginnings})
    found: dict[Beginning, Head] = {}
    for side in Side:
        own = {one: _place(one, ends) for one in beginnings if one[2] is side}
        rows = await _rows(db, side, list(own.values()))
        for beginning, place in own.items():
            found[beginning] = _head(ends.get((*place[:2], side), 0), place, rows)
    return found


def _place(beginning: Beginning, ends: dict[Any, int]) -> Position:
    workspace_id, session_id, side, position = beginning
    end = ends.get((workspace_id, session_id, side), 0)
    return workspace_id, session_id, end if position is None else position


def _head(end: int, place: Position, rows: dict[Position, Row[Any]]) -> Head:
    *session, at = place
    here = rows.get(place) if at else None
    return Head(
        number=end,
        fence=fence(here.id) if here else None,
        follows=(*session, at + 1) in rows,
        pos=here.pos if here else 0,
    )


async def _ends(
    db: AsyncSession, places: Collection[Place]
) -> dict[tuple[WorkspaceId, SessionId, Side], int]:
    """The last number of each session that has events, as each side counts."""
    return {
        (row.workspace_id, row.id, side): row[2 + index]
        for row in await db.execute(_ENDS, named(places))
        for index, side in enumerate(Side)
        if row[2 + index]
    }


async def _rows(
    db: AsyncSession, side: Side, places: Sequence[Position]
) -> dict[Position, Row[Any]]:
    """The rows at these positions, and those that follow them."""
    if not places:
        return {}
    # One statement for each power of two: the last place fills up.
    count = 1 << (len(places) - 1).bit_length()
    values: dict[str, Any] = {}
    for index in range(count):
        workspace_id, session_id, at = places[min(index, len(places) - 1)]
        values |= {f"workspace_{index}": workspace_id, f"session_{index}": session_id}
        values |= {f"at_{index}": at, f"next_{index}": at + 1}
    rows = await db.execute(_find(side, count), values)
    return {(row.workspace_id, row.session_id, row.number): row for row in rows}


@cache
def _find(side: Side, count: int) -> Select[Any]:
    """Look `count` places up, each by the whole index of its numbering."""
    column, number = EVENTS.c, NUMBERS[side]
    places = (
        and_(
            column.workspace_id == bindparam(f"workspace_{index}"),
            column.session_id == bindparam(f"session_{index}"),
            number.in_([bindparam(f"at_{index}"), bindparam(f"next_{index}")]),
        )
        for index in range(count)
    )
    shown = (column.workspace_id, column.session_id, column.id, column.pos, number.label("number"))
    return select(*shown).where(or_(*places))


def _end(side: Side) -> ScalarSelect[int]:
    number = NUMBERS[side]
    here = (
        EVENTS.c.workspace_id == SESSIONS.c.workspace_id,
        EVENTS.c.session_id == SESSIONS.c.id,
        number.is_not(None),
    )
    return select(number).where(*here).order_by(number.desc()).limit(1).scalar_subquery()


_ENDS: Final = select(SESSIONS.c.workspace_id, SESSIONS.c.id, *map(_end, Side)).where(
    SESSIONS.c.workspace_id.in_(bindparam("workspaces", expanding=True)),
    SESSIONS.c.id.in_(bindparam("sessions", expanding=True)),
)
