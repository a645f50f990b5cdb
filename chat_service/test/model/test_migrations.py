"""Migrations on both databases: up, down and up again, and never two at once."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from chat_service.config import Database as Settings
from chat_service.customers import services as customers
from chat_service.events.transaction import Database, reading, transaction
from chat_service.inboxes import services as inboxes
from chat_service.model import Base, is_sqlite, migrations, open_engine
from chat_service.schema import utc_now
from chat_service.test.postgres import FreshDatabase
from chat_service.workspaces import services as workspaces

TABLES = set(Base.metadata.tables)
LONGER_THAN_A_LOCK_SECONDS = 2.5


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


TRIAL = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{newest}"


def upgrade() -> None:
    with op.batch_alter_table("inboxes", recreate="auto") as table:
        table.alter_column("name", type_=sa.String(200))


def downgrade() -> None:
    {downgrade}
"""


def with_trial(folder: Path, downgrade: str = "pass") -> str:
    """The revisions and one more, which alters a table that others refer to."""
    shutil.copytree(migrations.folder(), folder)
    text = TRIAL.format(newest=migrations.newest(), downgrade=downgrade)
    (folder / "versions" / "9999_trial.py").write_text(text)
    return str(folder)


async def test_altering_a_table_keeps_the_rows_that_refer_to_it(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    scripts = with_trial(tmp_path / "migrations")
    await migrations.upgrade(engine)
    with Database(engine).bound():
        async with transaction() as db:
            tenant = await workspaces.create(db, slug="full", name="Full", now=utc_now())
            inbox = await inboxes.create(
                db, tenant.id, name="Website", allowed_origins=[], now=utc_now()
            )
            await customers.create(db, inbox, name="Ada", email=None, now=utc_now())

    def altered(config: Config) -> None:
        config.set_main_option("script_location", scripts)
        command.upgrade(config, "9999")

    await migrations.run(engine, altered)
    async with engine.connect() as connection:
        for table in ("workspaces", "inboxes", "customers"):
            assert await connection.scalar(text(f"SELECT count(*) FROM {table}")) == 1
        if is_sqlite(engine):
            assert await connection.scalar(text("PRAGMA foreign_keys")) == 1


async def test_a_migration_that_leaves_rows_without_what_they_refer_to_is_undone(
    tmp_path: Path,
) -> None:
    """On SQLite, where keys are not enforced while a table is replaced."""
    engine = open_engine(Settings(url=f"sqlite:///{tmp_path / 'chat.db'}", profile="fast"))
    scripts = with_trial(tmp_path / "migrations", 'op.execute("DELETE FROM workspaces")')
    await migrations.upgrade(engine)
    with Database(engine).bound():
        async with transaction() as db:
            await workspaces.create(db, slug="full", name="Full", now=utc_now())

    def there_and_back(config: Config) -> None:
        config.set_main_option("script_location", scripts)
        command.upgrade(config, "9999")
        command.downgrade(config, "-1")

    with pytest.raises(CommandError, match="feed_head"):
        await migrations.run(engine, there_and_back)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM workspaces")) == 1
    assert await is_current(engine)
    await engine.dispose()


async def test_a_process_waits_for_one_that_migrates_however_long_it_takes(
    fresh_database: FreshDatabase,
) -> None:
    """Longer than any other lock is waited for."""
    engine = open_engine(Settings(url=fresh_database("long"), profile="fast"))
    key = {"key": migrations.LOCK}
    async with engine.connect() as other:
        await other.execute(text("SELECT pg_advisory_lock(:key)"), key)
        await other.commit()
        waiting = asyncio.create_task(migrations.upgrade(engine))
        await asyncio.wait([waiting], timeout=LONGER_THAN_A_LOCK_SECONDS)
        assert not waiting.done()
        await other.execute(text("SELECT pg_advisory_unlock(:key)"), key)
        await waiting
    await migrations.check(engine)
    await engine.dispose()


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
