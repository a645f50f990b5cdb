"""Takes from an empty database the unique keys that would refuse what a bug has numbered twice."""

import re
import sqlite3
from typing import Final

from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from chat_service.test.faults.stores import Store

TABLES: Final = ("chat_messages", "chat_events")
UNIQUE: Final = re.compile(r",\s*CONSTRAINT \S+ UNIQUE \([^)]*\)")
OF_TABLE: Final = (
    "SELECT conname FROM pg_constraint WHERE contype = 'u' AND conrelid = '{}'::regclass"
)


async def drop_keys(store: Store) -> None:
    """Drop all unique keys of messages and events but the primary ones."""
    if store.backend == "sqlite":
        _drop_on_sqlite(str(make_url(store.url).database))
    else:
        await _drop_on_postgres(store.url)


def _drop_on_sqlite(path: str) -> None:
    """SQLite cannot drop a constraint: the tables, empty as they are, are made anew without."""
    db = sqlite3.connect(path)
    for table in TABLES:
        (made,) = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", [table]).fetchone()
        without, count = UNIQUE.subn("", made)
        assert count > 0
        db.executescript(f"DROP TABLE {table}; {without};")
    db.close()


async def _drop_on_postgres(url: str) -> None:
    address = make_url(url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(address, poolclass=NullPool)
    async with engine.begin() as db:
        for table in TABLES:
            for name in (await db.exec_driver_sql(OF_TABLE.format(table))).scalars().all():
                await db.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
