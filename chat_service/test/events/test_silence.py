"""A PostgreSQL whose machine is gone without a word: what waits for it is told so, and not in minutes."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from chat_service.config import Database as Settings
from chat_service.errors import DatabaseUnavailable
from chat_service.events.transaction import Database, reading, transaction
from chat_service.model import open_engine
from chat_service.test.postgres import FreshDatabase
from chat_service.test.proxy import Proxy, proxied, reaching_postgres

ANSWER_SECONDS = 0.5
PATIENCE = 10.0


@pytest.fixture
async def road(fresh_database: FreshDatabase) -> AsyncIterator[tuple[Proxy, Database]]:
    """A database behind a road that can be made impassable."""
    url = fresh_database("silence")
    async with proxied(reaching_postgres(url)) as proxy:
        near = make_url(url).difference_update_query(["host"])
        near = near.set(host="127.0.0.1", port=proxy.port)
        settings = Settings(url=near.render_as_string(hide_password=False), pool_seconds=5)
        database = Database(open_engine(settings, answer_seconds=ANSWER_SECONDS))
        with database.bound():
            yield proxy, database
        await database.engine.dispose()


@pytest.mark.parametrize("door", [reading, transaction], ids=["reading", "transaction"])
async def test_a_database_that_falls_silent_is_told_and_reached_again(
    road: tuple[Proxy, Database], door: type
) -> None:
    proxy, _ = road
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(DatabaseUnavailable):
            async with door() as db:
                await db.execute(text("SELECT 1"))
                proxy.hold()
                await db.execute(text("SELECT 2"))
        proxy.let_go()
        async with door() as db:
            assert await db.scalar(text("SELECT 3")) == 3


async def test_after_one_silent_connection_no_other_of_its_age_is_tried(
    road: tuple[Proxy, Database],
) -> None:
    proxy, database = road
    async with asyncio.timeout(PATIENCE):
        async with reading() as one, reading() as other:
            for db in (one, other):
                await db.execute(text("SELECT 1"))
        proxy.silence()
        with pytest.raises(DatabaseUnavailable):
            async with reading() as db:
                await db.execute(text("SELECT 2"))
        async with reading() as db:
            assert await db.scalar(text("SELECT 3")) == 3


async def test_a_commit_that_is_never_answered_is_told(road: tuple[Proxy, Database]) -> None:
    proxy, _ = road
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(DatabaseUnavailable):
            async with transaction() as db:
                await db.execute(text("SELECT 1"))
                proxy.hold()


async def test_without_a_bound_an_answer_is_waited_for(road: tuple[Proxy, Database]) -> None:
    """As a migration does, which may take hours."""
    _, impatient = road
    url = impatient.engine.url.render_as_string(hide_password=False)
    patient = Database(open_engine(Settings(url=url), answer_seconds=None))
    slowly = text(f"SELECT pg_sleep({2 * ANSWER_SECONDS})")
    with pytest.raises(DatabaseUnavailable):
        async with reading() as db:
            await db.execute(slowly)
    with patient.bound():
        async with reading() as db:
            await db.execute(slowly)
    await patient.engine.dispose()
