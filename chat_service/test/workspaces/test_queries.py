"""Workspaces found by slug, or by being the only one."""

from collections.abc import AsyncIterator

import pytest

from chat_service.config import Database as Settings
from chat_service.events.transaction import Database, reading, transaction
from chat_service.model import Workspace, migrations, open_engine
from chat_service.schema import utc_now
from chat_service.test.postgres import FreshDatabase
from chat_service.workspaces import queries, services


@pytest.fixture
async def empty_database(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Database]:
    """A database of an installation that nobody has used yet."""
    url = f"sqlite:///{tmp_path_factory.mktemp('empty') / 'chat.db'}"
    if backend != "sqlite":
        fresh: FreshDatabase = request.getfixturevalue("fresh_database")
        url = fresh("empty")
    database = Database(open_engine(Settings(url=url, profile="fast")))
    await migrations.upgrade(database.engine)
    yield database
    await database.engine.dispose()


async def find(database: Database, slug: str | None) -> Workspace | None:
    """The workspace found by a slug or by none."""
    with database.bound():
        async with reading() as db:
            return await queries.by_slug(db, slug)


async def make(database: Database, slug: str) -> Workspace:
    """A new workspace."""
    with database.bound():
        async with transaction() as db:
            return await services.create(db, slug=slug, name="Test", now=utc_now())


async def test_the_only_workspace_needs_no_slug(empty_database: Database) -> None:
    assert await find(empty_database, None) is None
    first = await make(empty_database, "first")
    found = await find(empty_database, None)
    assert found is not None and found.id == first.id
    await make(empty_database, "second")
    assert await find(empty_database, None) is None


async def test_a_slug_is_matched_whole(empty_database: Database) -> None:
    first = await make(empty_database, "first")
    await make(empty_database, "first-2")
    found = await find(empty_database, "first")
    assert found is not None and found.id == first.id
    for slug in ("", "firs", "FIRST", "%", "first ", "third"):
        assert await find(empty_database, slug) is None


async def test_an_installation_knows_whether_it_was_used(empty_database: Database) -> None:
    with empty_database.bound():
        async with reading() as db:
            assert not await queries.exist(db)
    await make(empty_database, "first")
    with empty_database.bound():
        async with reading() as db:
            assert await queries.exist(db)
