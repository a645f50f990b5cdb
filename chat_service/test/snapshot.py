"""All rows of workspaces, to see that nothing was written, or what."""

from typing import Any

from sqlalchemy import select

from chat_service.events.transaction import reading
from chat_service.model import Base
from chat_service.test.builders import Workspace

UNWATCHED = {
    "sign_in_attempts",
    "agent_sockets",
    "feed_readers",
    "message_counts",
    "audit_entries",
}
"""Tries are counted and refusals noted whatever comes of them; sockets and followers keep rows too."""
BESIDE = "last_used_at"
"""Written beside the requests, some time after them."""


async def rows_of(*workspaces: Workspace) -> dict[str, list[Any]]:
    """Every row by table, in the order of its key. The workspaces are of one service."""
    ids = [workspace.id for workspace in workspaces]
    tables = [
        table
        for table in Base.metadata.sorted_tables
        if "workspace_id" in table.c and table.name not in UNWATCHED
    ]
    found = {}
    with workspaces[0].service.database.bound():
        async with reading() as db:
            for table in tables:
                columns = [column for column in table.c if column.name != BESIDE]
                query = select(*columns).where(table.c.workspace_id.in_(ids))
                rows = await db.execute(query.order_by(*table.primary_key))
                found[table.name] = [tuple(row) for row in rows]
    return found
