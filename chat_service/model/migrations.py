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
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from chat_service.model import is_sqlite

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


async def upgrade(engine: AsyncEngine) -> None:
    """Bring a database up to date; waits where another process is doing it."""
    await run(engine, lambda config: command.upgrade(config, "head"))


async def downgrade(engine: AsyncEngine, to: str) -> None:
    """Take a database back to a revision; `base` is the empty database."""
    await run(engine, lambda config: command.downgrade(config, to))


async def check(engine: AsyncEngine) -> None:
    """Compare database and models; raises alembic.util.CommandError where they differ."""
    await run(engine, command.check)


async def run(engine: AsyncEngine, task: Callable[[AlembicConfig], None]) -> None:
    """Run an Alembic command on a database: alone there, whole or not at all."""

    def work(connection: Connection) -> None:
        config = AlembicConfig()
        config.set_main_option("script_location", str(folder()))
        config.attributes["connection"] = connection
        task(config)

    async with engine.execution_options(write=True).connect() as connection:
        if is_sqlite(engine):
            await _let_tables_be_replaced(connection)
        else:
            await _wait_for_turn(connection)
        await connection.run_sync(Connection.detach)  # its settings and its lock end with it
        async with connection.begin():
            await connection.run_sync(work)
            if is_sqlite(engine):
                await _require_whole_keys(connection)


async def _wait_for_turn(connection: AsyncConnection) -> None:
    """On PostgreSQL one process at a time migrates, however long it takes."""
    await connection.execute(text("SET statement_timeout = 0"))
    await connection.execute(text("SET lock_timeout = 0"))
    await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
    await connection.commit()


async def _let_tables_be_replaced(connection: AsyncConnection) -> None:
    """SQLite alters a table by replacing it, which with keys enforced would delete what refers to it.

    The setting has no effect inside a transaction, so it is made on the driver's own connection.
    """
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    assert driver is not None
    await driver.execute("PRAGMA foreign_keys=OFF")


async def _require_whole_keys(connection: AsyncConnection) -> None:
    """Refuse a migration that left a row which refers to none."""
    broken = (await connection.execute(text("PRAGMA foreign_key_check"))).all()
    if broken:
        raise CommandError(f"rows of {broken[0][0]} would refer to rows that are gone")
