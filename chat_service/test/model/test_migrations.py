"""Migrations on both databases: up, down and up again, and never two at once."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from alembic.util import CommandError
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from chat_service.config import Database as Settings
from chat_service.events.transaction import Database, reading
from chat_service.model import Base, migrations, open_engine
from chat_service.test.postgres import FreshDatabase

TABLES = set(Base.metadata.tables)


@pytest.fixture
async def engine(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[AsyncEngine]:
    """An empty database."""
    url = f"sqlite:///{tmp_path_factory.mktemp('empty') / 'chat.db'}"
    if backend != "sqlite":
        fresh: FreshDatabase = request.getfixturevalue("fresh_database")
        url = fresh("migrations")
    engine = open_engine(Settings(url=url, profile="fast"))
    yield engine
    await engine.dispose()


async def tables(engine: AsyncEngine) -> set[str]:
    """What is in a database."""
    async with engine.connect() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


async def is_current(engine: AsyncEngine) -> bool:
    """Whether a service would start on it."""
    with Database(engine).bound():
        async with reading() as db:
            return await migrations.is_current(db)


async def test_up_down_and_up_again(engine: AsyncEngine) -> None:
    for _ in range(2):
        await migrations.upgrade(engine)
        await migrations.check(engine)
        assert await tables(engine) == TABLES | {"alembic_version"}
        assert await is_current(engine)
        await migrations.downgrade(engine, "base")
        assert await tables(engine) == {"alembic_version"}
        assert not await is_current(engine)


async def test_up_twice_is_up_once(engine: AsyncEngine) -> None:
    await migrations.upgrade(engine)
    await migrations.upgrade(engine)
    await migrations.check(engine)


async def test_an_empty_database_is_not_current(engine: AsyncEngine) -> None:
    assert not await is_current(engine)
    with pytest.raises(CommandError):
        await migrations.check(engine)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE customers ADD COLUMN phone VARCHAR(20)",
        "DROP INDEX ix_agents_workspace_id_email",
        "CREATE TABLE extra (id INTEGER PRIMARY KEY)",
    ],
)
async def test_check_finds_what_was_changed_by_hand(engine: AsyncEngine, change: str) -> None:
    await migrations.upgrade(engine)
    async with engine.execution_options(write=True).begin() as connection:
        await connection.execute(text(change))
    with pytest.raises(CommandError):
        await migrations.check(engine)


async def test_processes_that_migrate_at_once_wait_for_each_other(
    fresh_database: FreshDatabase,
) -> None:
    engine = open_engine(Settings(url=fresh_database("at_once"), profile="fast"))
    await asyncio.gather(*(migrations.upgrade(engine) for _ in range(4)))
    await migrations.check(engine)
    await engine.dispose()


async def test_the_database_makes_no_value_of_its_own(engine: AsyncEngine, backend: str) -> None:
    """Numbers, ids and times come from the application: nothing to differ between nodes."""
    await migrations.upgrade(engine)
    async with engine.connect() as connection:
        if backend == "sqlite":
            found = "SELECT name FROM sqlite_master WHERE type = 'trigger' OR sql LIKE '%DEFAULT%'"
        else:
            found = (
                "SELECT relname FROM pg_class WHERE relkind = 'S' "
                "UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal "
                "UNION ALL SELECT column_name FROM information_schema.columns "
                "WHERE table_schema = 'public' AND (column_default IS NOT NULL "
                "OR is_identity = 'YES' OR is_generated = 'ALWAYS')"
            )
        assert (await connection.scalars(text(found))).all() == []
