"""Sessions as the agents' list holds them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson

from chat_service.realtime.session_list import (
    Entry,
)
from chat_service.schema import Cursor, CursorKind, Status, WorkspaceId
from chat_service.sessions.reach import Reach

HERE = WorkspaceId(UUID(int=1))


BOB, EVE = UUID(int=11), UUID(int=12)
SALES, OTHER_TEAM = UUID(int=31), UUID(int=32)


MINE = Reach(HERE, frozenset({BOB}))


ALL = Reach(HERE, None)


DAWN = datetime(2026, 11, 22, 6, tzinfo=UTC)


FRAME_BYTES = 65_536


def entry(
    number: int,
    *,
    at: int = 0,
    version: int = 1,
    holder: UUID | None = BOB,
    team: UUID | None = None,
    status: Status = Status.OPEN,
    text: str = "",
) -> Entry:
    """A session that moved `at` that second."""
    return Entry(
        id=UUID(int=number),
        version=version,
        assignee_id=holder,
        team_id=team,
        status=status,
        moved_at=DAWN + timedelta(seconds=at),
        view=orjson.dumps({"id": number, "version": version, "text": text}),
    )


def mark(pos: int) -> Cursor:
    return Cursor(CursorKind.WORKSPACE, pos, f"{pos:08x}" if pos else None)
