"""The doors to the database: what a read sees, when a change is made, who waits for whom."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from chat_service.app import Service
from chat_service.errors import DatabaseUnavailable, ServiceError
from chat_service.events.transaction import inside_transaction, looking, reading, transaction
from chat_service.model import ReadOnly
from chat_service.model import Workspace as WorkspaceRow
from chat_service.schema import new_id, utc_now
from chat_service.test.builders import unique, writing
from chat_service.test.conftest import config_of
from chat_service.test.events.apart import started
from chat_service.test.events.logs import snapshot

PATIENCE = 10
BEGUN_AT = select(func.now())
"""When a transaction of PostgreSQL began."""


class Broken(Exception):
    """What ends a transaction of these tests."""


def row(slug: str) -> WorkspaceRow:
    """Something to store."""
    return WorkspaceRow(id=new_id(), slug=slug, name="Test", created_at=utc_now())


async def count(service: Service, slug: str) -> int:
    """How often it is stored."""
    async with snapshot(service) as db:
        query = select(func.count()).select_from(WorkspaceRow).where(WorkspaceRow.slug == slug)
        return (await db.scalars(query)).one()


async def test_a_change_is_seen_when_its_block_has_ended(service: Service) -> None:
    slug = unique()
    async with writing(service) as db:
        db.add(row(slug))
        await db.flush()
        assert await count(service, slug) == 0, "readers run beside a writer"
    assert await count(service, slug) == 1


@pytest.mark.asvs("2.3.3")
async def test_a_block_that_fails_changes_nothing(service: Service) -> None:
    slug = unique()
    with pytest.raises(Broken):
        async with writing(service) as db:
            db.add(row(slug))
            await db.flush()
            raise Broken
    assert await count(service, slug) == 0


@pytest.mark.asvs("2.3.3")
async def test_a_block_that_is_cancelled_changes_nothing(service: Service) -> None:
    slug, entered = unique(), asyncio.Event()

    async def change() -> None:
        async with writing(service) as db:
            db.add(row(slug))
            await db.flush()
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(change())
    await entered.wait()
    task.cancel()
    await asyncio.wait([task])
    assert await count(service, slug) == 0


async def test_a_read_sees_one_state(service: Service) -> None:
    slug = unique()
    query = select(func.count()).select_from(WorkspaceRow).where(WorkspaceRow.slug == slug)
    async with snapshot(service) as db:
        before = await db.scalar(query)
        async with writing(service) as other:
            other.add(row(slug))
        assert (before, await db.scalar(query)) == (0, 0)
    assert await count(service, slug) == 1


@pytest.mark.parametrize("door", [reading, looking])
async def test_who_reads_cannot_write(service: Service, door: Callable[[], Any]) -> None:
    slug = unique()
    values = {"id": new_id(), "slug": slug, "name": "Test", "created_at": utc_now()}
    with service.database.bound(), pytest.raises((DBAPIError, ServiceError, ReadOnly)):
        async with door() as db:
            await db.execute(insert(WorkspaceRow).values(values))
            await db.commit()
    assert await count(service, slug) == 0


async def test_a_look_sees_what_was_committed_meanwhile_and_begins_nothing(
    service: Service,
) -> None:
    slug = unique()
    query = select(func.count()).select_from(WorkspaceRow).where(WorkspaceRow.slug == slug)
    async with writing(service) as other:
        other.add(row(slug))
    with service.database.bound():
        async with looking() as db:
            assert await db.scalar(query) == 1
            if service.database.engine.dialect.name == "postgresql":
                assert await db.scalar(BEGUN_AT) != await db.scalar(BEGUN_AT)


async def test_a_connection_that_read_may_write_afterwards(service: Service) -> None:
    slug = unique()
    for _ in range(service.config.database.pool_size + 1):
        assert await count(service, slug) == 0
    async with writing(service) as db:
        db.add(row(slug))
    assert await count(service, slug) == 1


async def test_a_refusal_by_the_data_passes_as_it_is(service: Service) -> None:
    slug = unique()
    with pytest.raises(IntegrityError):
        async with writing(service) as db:
            db.add_all([row(slug), row(slug)])
    assert await count(service, slug) == 0


async def test_a_task_knows_whether_it_is_inside_a_transaction(service: Service) -> None:
    assert not inside_transaction()
    with pytest.raises(Broken):
        async with writing(service):
            assert inside_transaction()
            raise Broken
    assert not inside_transaction()
    async with snapshot(service):
        assert not inside_transaction()


@pytest.fixture
async def on_sqlite(tmp_path: Path) -> AsyncIterator[Service]:
    """A service on a SQLite file of its own."""
    async with started(config_of(f"sqlite:///{tmp_path / 'chat.db'}", tmp_path)) as service:
        yield service


async def test_writers_on_sqlite_go_in_the_order_they_came(on_sqlite: Service) -> None:
    entered: list[int] = []

    async def write(number: int) -> None:
        async with transaction() as db:
            entered.append(number)
            db.add(row(f"w-{number}"))

    async with transaction():
        waiting = [asyncio.create_task(write(number)) for number in range(5)]
        for _ in range(10):
            await asyncio.sleep(0)
        assert entered == []
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*waiting)
    assert entered == [0, 1, 2, 3, 4]


async def test_a_writer_whose_turn_comes_too_late_is_told_so(on_sqlite: Service) -> None:
    """As where another program holds the file: what waits for ever is worse than a refusal."""
    entered = asyncio.Event()

    async def hold() -> None:
        async with transaction():
            entered.set()
            await asyncio.Event().wait()

    holder = asyncio.create_task(hold())
    await entered.wait()
    with pytest.raises(DatabaseUnavailable):
        async with transaction():
            pass
    holder.cancel()
    await asyncio.wait([holder])
    async with transaction() as db:
        db.add(row("after"))
    assert await count(on_sqlite, "after") == 1


async def test_a_writer_that_no_longer_waits_holds_nobody_up(on_sqlite: Service) -> None:
    async def write(slug: str) -> None:
        async with transaction() as db:
            db.add(row(slug))

    async with transaction():
        lost, other = (asyncio.create_task(write(slug)) for slug in ("lost", "other"))
        await asyncio.sleep(0)
        lost.cancel()
    async with asyncio.timeout(PATIENCE):
        await other
    assert [await count(on_sqlite, slug) for slug in ("lost", "other")] == [0, 1]
