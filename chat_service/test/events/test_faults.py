"""What a fault of the database means for the caller, and that the service goes on after it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.event import listen
from sqlalchemy.exc import DBAPIError

from chat_service.app import Service, create_app
from chat_service.config import Database as Settings
from chat_service.errors import DatabaseUnavailable, ServiceError, StorageFull
from chat_service.events import log
from chat_service.events.transaction import Database, Deadlock, reading, transaction
from chat_service.model import open_engine
from chat_service.test.builders import Person, Workspace, build_workspace, message, writing
from chat_service.test.conftest import config_of
from chat_service.test.events.apart import Room, client_of, started
from chat_service.test.events.logs import fact, head_of, record_facts, snapshot, stored

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
KEY = f"sk_{'0' * 32}_{'0' * 32}_secret"
on_postgres = pytest.mark.parametrize("backend", ["postgres"], indirect=True)

MEANINGS: dict[str, type[Exception]] = {
    "deadlock_detected 40P01": Deadlock,
    "serialization_failure 40001": Deadlock,
    "lock_not_available 55P03": DatabaseUnavailable,
    "query_canceled 57014": DatabaseUnavailable,
    "idle_in_transaction_session_timeout 25P03": DatabaseUnavailable,
    "admin_shutdown 57P01": DatabaseUnavailable,
    "crash_shutdown 57P02": DatabaseUnavailable,
    "cannot_connect_now 57P03": DatabaseUnavailable,
    "too_many_connections 53300": DatabaseUnavailable,
    "out_of_memory 53200": DatabaseUnavailable,
    "connection_failure 08006": DatabaseUnavailable,
    "io_error 58030": DatabaseUnavailable,
    "disk_full 53100": StorageFull,
    "unique_violation 23505": DBAPIError,
    "untranslatable_character 22P05": DBAPIError,
}


@on_postgres
@pytest.mark.parametrize(("state", "meaning"), MEANINGS.items(), ids=list(MEANINGS))
async def test_a_fault_of_postgres_has_its_meaning(
    service: Service, state: str, meaning: type[Exception]
) -> None:
    code = state.split()[1]
    raising = f"DO $$ BEGIN RAISE EXCEPTION 'a fault' USING ERRCODE = '{code}'; END $$"
    with pytest.raises(meaning) as raised:
        async with writing(service) as db:
            await db.execute(text(raising))
    assert type(raised.value) is meaning or meaning is DBAPIError


@on_postgres
async def test_a_lock_that_does_not_come_free_is_told(workspace: Workspace) -> None:
    before = await head_of(workspace)
    async with writing(workspace.service) as holder:
        log.record(holder, fact(workspace.id))
        await log.append(holder)
        with pytest.raises(DatabaseUnavailable):
            async with writing(workspace.service) as db:
                await db.execute(text("SET LOCAL lock_timeout = '10ms'"))
                log.record(db, fact(workspace.id))
    assert (await head_of(workspace)).pos == before.pos + 1


@on_postgres
async def test_a_deadlock_ends_one_of_two(workspace: Workspace) -> None:
    service, both = workspace.service, asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        async with writing(service) as db:
            for number in (first, second):
                await db.execute(text(f"SELECT pg_advisory_xact_lock(4711, {number})"))
                if number == first:
                    await both.wait()

    ended = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)
    assert sorted(type(each).__name__ for each in ended) == ["Deadlock", "NoneType"]


@on_postgres
async def test_a_lost_connection_is_told_and_replaced(workspace: Workspace) -> None:
    before = await head_of(workspace)
    with pytest.raises(DatabaseUnavailable):
        async with writing(workspace.service) as db:
            log.record(db, fact(workspace.id))
            pid = await db.scalar(text("SELECT pg_backend_pid()"))
            async with snapshot(workspace.service) as other:
                await other.execute(text(f"SELECT pg_terminate_backend({pid})"))
    assert (await head_of(workspace)).pos == before.pos
    async with writing(workspace.service) as db:
        log.record(db, fact(workspace.id))
    assert (await head_of(workspace)).pos == before.pos + 1


async def fault_of(url: str) -> list[ServiceError]:
    """What both doors say of a database that cannot be used."""
    database = Database(open_engine(Settings(url=url, pool_seconds=1)))
    told = []
    with database.bound():
        for door in (reading, transaction):
            with pytest.raises(ServiceError) as raised:
                async with door() as db:
                    await db.execute(text("SELECT 1 FROM workspaces"))
            told.append(raised.value)
    await database.engine.dispose()
    return told


async def test_a_database_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for url in (NOWHERE, f"sqlite:///{tmp_path / 'folder'}"):
        assert [type(error) for error in await fault_of(url)] == [DatabaseUnavailable] * 2


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "chat.db").write_bytes(b"This is something else." * 100)
    told = await fault_of(f"sqlite:///{tmp_path / 'chat.db'}")
    assert [type(error) for error in told] == [DatabaseUnavailable] * 2


async def test_a_request_without_database_is_503_and_may_be_repeated(tmp_path: Path) -> None:
    service = create_app(config_of(NOWHERE, tmp_path))
    async with client_of(service) as client:
        response = await Person(client, KEY, "").get("/v1/sessions")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    problem = response.json()
    assert (problem["code"], problem["retryable"]) == ("database_unavailable", True)


async def test_connections_that_are_all_taken_are_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'chat.db'}"
    database = Database(open_engine(Settings(url=url, pool_size=2, pool_seconds=0.01)))
    with database.bound():
        async with reading() as first, reading() as second:
            await first.execute(text("SELECT 1"))
            await second.execute(text("SELECT 1"))
            with pytest.raises(DatabaseUnavailable):
                async with reading() as third:
                    await third.execute(text("SELECT 1"))
        async with reading() as later:
            assert await later.scalar(text("SELECT 1")) == 1
    await database.engine.dispose()


@pytest.fixture
async def on_sqlite(tmp_path: Path) -> AsyncIterator[Workspace]:
    """A workspace on a SQLite file of its own, whose writers do not wait for foreign programs."""
    async with started(config_of(f"sqlite:///{tmp_path / 'chat.db'}", tmp_path)) as service:
        listen(service.database.engine.sync_engine, "checkout", _impatient)
        async with client_of(service) as client:
            yield await build_workspace(service, client)


def _impatient(connection: sqlite3.Connection, *_: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=0")
    cursor.close()


async def test_a_file_locked_by_another_program_is_told(on_sqlite: Workspace) -> None:
    foreign = sqlite3.connect(on_sqlite.service.database.engine.url.database or "")
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable):
        await record_facts(on_sqlite, 1)
    foreign.close()
    await record_facts(on_sqlite, 1)


async def fill(customer: Person, session_id: str) -> list[str]:
    """Send until there is no room; the ids of what was acknowledged."""
    acknowledged: list[str] = []
    while True:
        body = message("x" * 16_000)
        response = await customer.post(f"/v1/sessions/{session_id}/messages", body)
        if response.status_code == 507:
            assert response.json()["code"] == "storage_full"
            assert response.headers["Retry-After"] == "1"
            return acknowledged
        assert response.status_code == 201, response.text
        acknowledged.append(response.json()["message"]["id"])


async def test_a_full_database_refuses_writes_and_loses_nothing(on_sqlite: Workspace) -> None:
    customer = await on_sqlite.customer()
    session_id = (await customer.start(None))["session"]["id"]
    room = Room(on_sqlite.service.database.engine)
    room.full()
    acknowledged = await fill(customer, session_id)
    before = await stored(on_sqlite)
    refused = await asyncio.gather(*(customer.send(session_id, "y" * 16_000) for _ in range(5)))
    assert [response.status_code for response in refused] == [507] * 5
    shown = await customer.messages(session_id)
    assert [each["id"] for each in shown] == acknowledged, "reads go on"
    assert await stored(on_sqlite) == before, "nothing is half written"


async def test_a_full_database_heals_when_there_is_room_again(on_sqlite: Workspace) -> None:
    customer = await on_sqlite.customer()
    session_id = (await customer.start(None))["session"]["id"]
    room = Room(on_sqlite.service.database.engine)
    room.full()
    await fill(customer, session_id)
    body = message("y" * 16_000)
    path = f"/v1/sessions/{session_id}/messages"
    assert (await customer.post(path, body)).status_code == 507
    room.freed()
    healed = await customer.post(path, body)
    assert healed.status_code == 201
    assert "Idempotent-Replayed" not in healed.headers
    rows = await stored(on_sqlite)
    assert [row.pos for row in rows] == list(range(1, len(rows) + 1))
