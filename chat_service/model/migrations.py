"""Versions of the schema: bring a database up to date, and tell whether it is.

Owns how Alembic is called. The revisions stand in `migrations/` at the root of the project, which a
wheel carries as `chat_service/migrations`.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

LOCK: Final = 7_263_548_190
"""Key of the advisory lock under which one process at a time migrates a PostgreSQL database."""


def folder() -> Path:
    """Where the revisions are, in a checkout or in an installed package."""
    package = Path(__file__).parent.parent
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


@cache
def newest() -> str:
    """The revision this code was written for."""
    head = ScriptDirectory(str(folder())).get_current_head()
    if head is None:
        raise RuntimeError(f"no migrations in {folder()}")
    return head


async def is_current(db: AsyncSession) -> bool:
    """Whether the database has this code's schema."""
    try:
        version = await db.scalar(text("SELECT version_num FROM alembic_version"))
    except DBAPIError as error:
        if not _is_missing_table(error):
            raise
        return False
    return bool(version == newest())


def _is_missing_table(error: DBAPIError) -> bool:
    """Whether the database answered that it has no such table; any other fault is no answer."""
    sqlite, postgresql = 1, "42P01"
    given = getattr(error.orig, "sqlite_errorcode", None), getattr(error.orig, "sqlstate", None)
    return given[0] == sqlite or given[1] == postgresql


async def upgrade(engine: AsyncEngine, to: str = "head") -> None:
    """Bring a database up to a revision; waits where another process is doing it."""
    await _run(engine, lambda config: command.upgrade(config, to))


async def downgrade(engine: AsyncEngine, to: str) -> None:
    """Take a database back to a revision; `base` is the empty database."""
    await _run(engine, lambda config: command.downgrade(config, to))


async def check(engine: AsyncEngine) -> None:
    """Compare database and models; raises alembic.util.CommandError where they differ."""
    await _run(engine, command.check)


async def _run(engine: AsyncEngine, task: Callable[[AlembicConfig], None]) -> None:
    def work(connection: Connection) -> None:
        config = AlembicConfig()
        config.set_main_option("script_location", str(folder()))
        config.attributes["connection"] = connection
        task(config)

    async with engine.execution_options(write=True).connect() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(text("SET statement_timeout = 0"))
            await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
            await connection.commit()
        await connection.run_sync(work)
        await connection.commit()
        await connection.invalidate()
