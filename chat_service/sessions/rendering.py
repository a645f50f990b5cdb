"""Sessions as a caller sees them: rows with the marks of their readers, read in one query."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.sessions.transport import SessionView, Viewer, session_view
from chat_service.sessions.watermarks import read_marks


async def render(db: AsyncSession, viewer: Viewer, rows: Sequence[Row[Any]]) -> list[SessionView]:
    """Show rows of `queries.summaries`, in their order."""
    marks = await read_marks(db, [(row.workspace_id, row.id) for row in rows])
    return [session_view(viewer, row, marks[row.workspace_id, row.id]) for row in rows]


async def render_one(db: AsyncSession, viewer: Viewer, row: Row[Any]) -> SessionView:
    """Show one of them."""
    return (await render(db, viewer, [row]))[0]
