"""Whether a database may be served: as durable as promised, and nobody else's.

The promise "what was acknowledged is kept" stands on a few settings of the database. They are read
back at the start, since a default, a role or a pooler may have changed them.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chat_service.model import is_sqlite

POSTGRES: Final = ("synchronous_commit", "fsync", "full_page_writes")
WEAK: Final = {"off"}
SQLITE_FULL: Final = 2


async def weakness(engine: AsyncEngine) -> str | None:
    """The first setting that may lose acknowledged messages, in one line with its cure."""
    async with engine.connect() as connection:
        if is_sqlite(engine):
            return await _sqlite_weakness(connection)
        return await _postgres_weakness(connection)


async def _sqlite_weakness(connection: AsyncConnection) -> str | None:
    mode = await connection.scalar(text("PRAGMA journal_mode"))
    level = await connection.scalar(text("PRAGMA synchronous"))
    if mode != "wal":
        return f"journal_mode is {mode}: the file system must allow WAL"
    if int(level) < SQLITE_FULL:
        return f"synchronous is {level}: it must be 2 (FULL)"
    return None


async def _postgres_weakness(connection: AsyncConnection) -> str | None:
    for name in POSTGRES:
        value = await connection.scalar(text(f"SHOW {name}"))
        if value in WEAK:
            return f"{name} is {value}: set it to on in the server's configuration"
    return None


class FileLock:
    """The right to be the one server process on a SQLite file, held until the process ends."""

    def __init__(self, url: str) -> None:
        self._path = Path(f"{make_url(url).database}.lock")
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock, or tell that another process has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
