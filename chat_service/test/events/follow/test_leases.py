"""Who reads: one process at a time, until its lease ends; and followers that nobody reads for."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.schema import ReaderStatus
from chat_service.test.builders import Workspace
from chat_service.test.events.follow.following import (
    Diary,
    Told,
    caught_up,
    change_reader,
    eventually,
    facts_of,
    following,
    grow,
    passed_by,
    reader,
)
from chat_service.test.fakes import TurningClock

on_postgres = pytest.mark.parametrize("backend", ["postgres"], indirect=True)


def pair(place: Workspace, then: Told | None = None) -> tuple[Diary, Diary]:
    """The same follower as two processes have it."""
    return Diary(place, then), Diary(place, then)


async def lease(workspace: Workspace, follower: Diary) -> tuple[Any, Any]:
    """Who has it, and until when."""
    row = await reader(workspace, follower)
    assert row is not None
    return row.owner, row.leased_until


@on_postgres
async def test_of_two_processes_one_alone_follows(place: Workspace) -> None:
    ours, theirs = pair(place)
    async with following(place.service, ours) as first:
        await caught_up(place, ours, await grow(place, 1))
        async with following(place.service, theirs) as second:
            for _ in range(20):
                end = await grow(place, 2)
                second.hint(place.id, end)
                first.hint(place.id, end)
                await caught_up(place, ours, end)
    assert ours.positions(place) == await facts_of(place)
    assert theirs.positions(place) == []


@on_postgres
async def test_another_process_takes_over_when_the_lease_has_ended(
    place: Workspace, clock: TurningClock
) -> None:
    ours, theirs = pair(place)
    dead = uuid4()
    async with following(place.service, ours, clock=clock):
        end = await grow(place, 2)
        await caught_up(place, ours, end)
    # As a process leaves it that was killed.
    await change_reader(place, ours, owner=dead, leased_until=clock() + timedelta(seconds=5))
    async with following(place.service, theirs, clock=clock) as second:
        end = await grow(place, 2)
        second.hint(place.id, end)
        await asyncio.sleep(0.3)
        assert theirs.positions(place) == []
        clock.turn(seconds=5)
        await caught_up(place, theirs, end)
    assert ours.positions(place) + theirs.positions(place) == await facts_of(place)


@on_postgres
async def test_whatever_the_leases_say_each_event_has_one_effect(place: Workspace) -> None:
    """Two processes that both believe to be the owner wait for the same row."""
    ours, theirs = pair(place)
    me = uuid4()
    async with following(place.service, ours, process_id=me) as first:
        async with following(place.service, theirs, process_id=me) as second:
            for _ in range(30):
                end = await grow(place, 3)
                first.hint(place.id, end)
                second.hint(place.id, end)
            await caught_up(place, ours, end)
    assert sorted(ours.positions(place) + theirs.positions(place)) == await facts_of(place)


@on_postgres
async def test_a_failing_event_stays_with_the_process_that_tries_it(place: Workspace) -> None:
    async def fail(db: AsyncSession, events: Sequence[Row[Any]]) -> None:
        raise ValueError

    ours, theirs = pair(place, fail)
    async with following(place.service, ours):
        end = await grow(place, 1)

        async def has_begun() -> bool:
            return len(ours.positions(place)) >= 2

        await eventually(has_begun)
        async with following(place.service, theirs):
            await caught_up(place, ours, end)
    assert theirs.positions(place) == []
    assert [dead.tries for dead in await passed_by(place, ours)] == [10]


async def test_stopping_gives_the_lease_back(place: Workspace) -> None:
    diary, me = Diary(place), uuid4()
    async with following(place.service, diary, process_id=me):
        await caught_up(place, diary, await grow(place, 1))
        assert (await lease(place, diary))[0] == me
    assert (await lease(place, diary))[0] is None


async def test_stopping_finishes_the_turn_at_hand(place: Workspace) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def take_long(db: AsyncSession, events: Sequence[Row[Any]]) -> None:
        begun.set()
        await go_on.wait()

    diary, end = Diary(place, then=take_long), await grow(place, 1)

    async def follow() -> None:
        async with following(place.service, diary):
            await begun.wait()

    stopping = asyncio.create_task(follow())
    await begun.wait()
    await asyncio.sleep(0.05)
    go_on.set()
    await stopping
    row = await reader(place, diary)
    assert row is not None and row.pos == end


async def test_who_is_alone_on_a_database_waits_for_no_dead_process(place: Workspace) -> None:
    diary, end = Diary(place), await grow(place, 1)
    async with following(place.service, diary):
        await caught_up(place, diary, end)
    until = (await lease(place, diary))[1] + timedelta(seconds=1)
    await change_reader(place, diary, owner=uuid4(), leased_until=until)
    async with following(place.service, diary, alone=True):
        await caught_up(place, diary, await grow(place, 1))
    assert diary.positions(place) == await facts_of(place)


async def test_a_lease_given_by_a_clock_that_was_wrong_is_none(place: Workspace) -> None:
    diary, end = Diary(place), await grow(place, 1)
    async with following(place.service, diary):
        await caught_up(place, diary, end)
    until = (await lease(place, diary))[1] + timedelta(days=30)
    await change_reader(place, diary, owner=uuid4(), leased_until=until)
    async with following(place.service, diary):
        await caught_up(place, diary, await grow(place, 1))
    assert diary.positions(place) == await facts_of(place)


@pytest.mark.parametrize("status", [ReaderStatus.DISABLED, ReaderStatus.EXPIRED])
async def test_a_follower_that_was_switched_off_is_left_alone_until_it_is_on_again(
    place: Workspace, status: ReaderStatus
) -> None:
    diary, end = Diary(place), await grow(place, 1)
    async with following(place.service, diary) as followers:
        await caught_up(place, diary, end)
        await change_reader(place, diary, status=status)
        last = await grow(place, 3)
        followers.hint(place.id, last)
        await asyncio.sleep(0.3)
        row = await reader(place, diary)
        assert row is not None and (row.pos, row.status) == (end, status)
        await change_reader(place, diary, status=ReaderStatus.ACTIVE)
        await caught_up(place, diary, last)
    assert diary.positions(place) == await facts_of(place)
