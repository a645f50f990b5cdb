"""What fails is undone whole and tried again; what fails for ever is passed by, and kept."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Row, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from chat_service.errors import DatabaseUnavailable, NotFound, ServiceError, StorageFull
from chat_service.events import log
from chat_service.events.log import EVENTS
from chat_service.events.transaction import Deadlock
from chat_service.model import MessageCount
from chat_service.schema import AuthorType
from chat_service.test.builders import Workspace, writing
from chat_service.test.events.follow.following import (
    Diary,
    caught_up,
    facts_of,
    following,
    grow,
    passed_by,
    reader,
)
from chat_service.test.events.logs import fact, snapshot, stored

SECRET = "somebody's own words"


def refuse(*positions: int, error: type[Exception] = ValueError) -> Any:
    """Something that is done for every event but some."""

    async def handle(db: AsyncSession, events: Sequence[Row[Any]]) -> None:
        await have_effect(db, events)
        if any(row.pos in positions for row in events):
            raise error(SECRET)

    return handle


async def have_effect(db: AsyncSession, events: Sequence[Row[Any]]) -> None:
    """Store something for each event that cannot be stored twice."""
    for row in events:
        values = {"workspace_id": row.workspace_id, "author_type": AuthorType.SYSTEM}
        day = row.created_at.date().replace(year=2000 + row.pos)
        await db.execute(insert(MessageCount).values(values | {"day": day, "count": 1}))


async def effects(workspace: Workspace) -> list[int]:
    """For which events it is stored."""
    query = select(MessageCount.day).where(MessageCount.workspace_id == workspace.id)
    async with snapshot(workspace.service) as db:
        return sorted(day.year - 2000 for day in await db.scalars(query))


@pytest.mark.conformance("poison_event_goes_to_dead_events_and_follower_passes")
async def test_poison_event_goes_to_dead_events_and_follower_passes(place: Workspace) -> None:
    end = await grow(place, 30)
    poison, others = (facts := await facts_of(place))[17], [*facts[:17], *facts[18:]]
    diary = Diary(place, then=refuse(poison))
    async with following(place.service, diary):
        await caught_up(place, diary, end)
        further = await grow(place, 2)
        await caught_up(place, diary, further)
    assert await effects(place) == [*others, end + 1, end + 2]
    (dead,) = await passed_by(place, diary)
    assert (dead.pos, dead.tries) == (poison, 10)
    assert diary.told[place.id].count([poison]) == 10
    kind, _, where = dead.error.partition(" at ")
    assert kind == "ValueError"
    assert where.startswith("test/events/follow/test_failures.py:")


async def test_several_poison_events_are_passed_one_by_one(place: Workspace) -> None:
    end = await grow(place, 8)
    facts = await facts_of(place)
    poison = [facts[0], facts[3], facts[4], facts[7]]
    diary = Diary(place, then=refuse(*poison))
    async with following(place.service, diary):
        await caught_up(place, diary, end)
    assert [dead.pos for dead in await passed_by(place, diary)] == poison
    assert await effects(place) == [pos for pos in facts if pos not in poison]


@pytest.mark.parametrize("error", [NotFound, IntegrityError, RuntimeError])
async def test_whatever_an_effect_raises_is_undone_and_tried_again(
    place: Workspace, error: type[Exception]
) -> None:
    raised = 0

    async def fail_at_first(db: AsyncSession, events: Sequence[Row[Any]]) -> None:
        nonlocal raised
        await have_effect(db, events)
        log.record(db, fact(place.id))
        await db.flush()
        if raised < 3:
            raised += 1
            if error is IntegrityError:
                await have_effect(db, events)
            raise error()

    end = await grow(place, 1)
    diary = Diary(place, then=fail_at_first)
    async with following(place.service, diary):
        await caught_up(place, diary, end)
    assert raised == 3
    assert (await effects(place))[0] == end
    assert (await facts_of(place))[1] == end + 1, "what was undone took no number"
    assert not await passed_by(place, diary)


@pytest.mark.parametrize("error", [DatabaseUnavailable, Deadlock, StorageFull])
async def test_a_database_that_fails_costs_an_event_none_of_its_tries(
    place: Workspace, error: type[ServiceError]
) -> None:
    times = 0

    async def fail(db: AsyncSession, events: Sequence[Row[Any]]) -> None:
        nonlocal times
        times += 1
        if times <= 15:
            raise error()

    diary, end = Diary(place, then=fail), await grow(place, 2)
    async with following(place.service, diary):
        await caught_up(place, diary, end)
    assert times == 16
    assert not await passed_by(place, diary)


async def test_a_missing_event_is_waited_for_and_never_passed_over(place: Workspace) -> None:
    end = await grow(place, 3)
    diary, row = Diary(place), dict((await stored(place))[-2]._mapping)
    missing = (EVENTS.c.workspace_id == place.id) & (EVENTS.c.pos == end - 1)
    async with writing(place.service) as db:
        await db.execute(delete(EVENTS).where(missing))
    async with following(place.service, diary):
        await caught_up(place, diary, end - 2)
        await asyncio.sleep(0.3)
        before = await reader(place, diary)
        async with writing(place.service) as db:
            await db.execute(insert(EVENTS).values(row))
        await caught_up(place, diary, end)
    assert before is not None and before.pos == end - 2
    assert diary.positions(place) == await facts_of(place)
    assert not await passed_by(place, diary)


async def test_what_is_passed_by_is_said_without_anybodys_words(place: Workspace) -> None:
    end = await grow(place, 1)
    diary = Diary(place, refuse(end))
    with capture_logs() as logs:
        async with following(place.service, diary):
            await caught_up(place, diary, end)
    (said,) = [line for line in logs if line["event"] == "follower_passed_event_by"]
    assert (said["follower"], said["log_level"]) == (diary.name, "error")
    assert (said["workspace"], said["pos"]) == (str(place.id), end)
    assert SECRET not in str(said)
