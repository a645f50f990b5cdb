"""The counts that a follower keeps, and the recount, by SQL of its own."""

from collections import Counter
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from chat_service.test.faults.stored import DRIVERS, SNAPSHOT

Counts = Counter[tuple[str, ...]]
"""Workspace, day and type of author."""
KEPT: Final = "SELECT workspace_id, day, author_type, count FROM message_counts"
WRITTEN: Final = (
    "SELECT workspace_id, {day}, author_type, count(*) FROM chat_messages GROUP BY 1, 2, 3"
)
DAY: Final = {"sqlite": "date(created_at)", "postgresql": "(created_at AT TIME ZONE 'UTC')::date"}
PASSED_BY: Final = "SELECT count(*) FROM dead_events"
BEHIND: Final = (
    "SELECT count(*) FROM feed_readers JOIN feed_head"
    " ON feed_head.workspace_id = feed_readers.workspace_id WHERE feed_readers.pos < feed_head.pos"
)
LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Recount(NamedTuple):
    """What is kept and what there is, of one moment, and what the followers left out or before them."""

    kept: Counts
    written: Counts
    passed_by: int
    behind: int
    """How many followers have not come to the end of their log."""


async def counts(url: str) -> Recount:
    """Count anew."""
    address = make_url(url)
    backend = address.get_backend_name()
    engine = create_async_engine(address.set(drivername=DRIVERS[backend]), poolclass=NullPool)
    async with engine.connect() as db:
        await db.exec_driver_sql(SNAPSHOT[backend])
        kept, written = [
            Counter({tuple(map(str, row[:3])): row[3] for row in await db.execute(text(sql))})
            for sql in (KEPT, WRITTEN.format(day=DAY[backend]))
        ]
        passed_by = (await db.execute(text(PASSED_BY))).scalar_one()
        behind = (await db.execute(text(BEHIND))).scalar_one()
    return Recount(kept, written, passed_by, behind)


async def let_leases_end(url: str) -> None:
    """Do what the time would do by itself: nobody renews the leases of a process that was killed."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        return  # a file has one process, which waits for no other
    engine = create_async_engine(address.set(drivername=DRIVERS["postgresql"]), poolclass=NullPool)
    async with engine.begin() as db:
        await db.execute(text("UPDATE feed_readers SET leased_until = :then"), {"then": LONG_AGO})
