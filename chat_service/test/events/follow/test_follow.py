"""What a follower is told: each event of every workspace, once and in order."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.events import log
from chat_service.test.builders import Workspace, build_workspace
from chat_service.test.events.apart import client_of
from chat_service.test.events.follow.following import (
    DEAF,
    SLOW_TO_RETRY,
    Diary,
    caught_up,
    facts_of,
    following,
    grow,
    reader,
)
from chat_service.test.events.logs import fact, head_of, stored


async def test_a_new_follower_is_told_everything_from_the_first_event(place: Workspace) -> None:
    diary, end = Diary(place), await grow(place, 450)
    async with following(place.service, diary):
        await caught_up(place, diary, end)
    assert diary.positions(place) == await facts_of(place)
    assert max(len(batch) for batch in diary.told[place.id]) <= 200


async def test_events_of_other_types_only_move_the_position(place: Workspace) -> None:
    diary, end = Diary(place, types=frozenset({"inbox.updated"})), await grow(place, 3)
    async with following(place.service, diary):
        await caught_up(place, diary, end)
    made = [row.pos for row in await stored(place) if row.type == "inbox.updated"]
    assert diary.positions(place) == made and len(made) < end


async def test_following_appends_nothing_to_the_log(place: Workspace) -> None:
    diary, end = Diary(place), await grow(place, 3)
    async with following(place.service, diary):
        await caught_up(place, diary, end)
    assert (await head_of(place)).pos == end


async def test_what_a_follower_records_is_followed_too(place: Workspace) -> None:
    async def answer(db: AsyncSession, events: Sequence[Row[Any]]) -> None:
        if len(diary.positions(place)) < 3:
            log.record(db, fact(place.id))

    diary, end = Diary(place, then=answer), await grow(place, 1)
    async with following(place.service, diary):
        await caught_up(place, diary, end + 2)
    assert diary.positions(place) == await facts_of(place) == [end, end + 1, end + 2]


async def test_each_workspace_is_followed_apart(place: Workspace) -> None:
    diary = Diary(place)
    async with client_of(place.service) as client:
        other = await build_workspace(place.service, client)
    ends = {each.id: await grow(each, count) for each, count in ((place, 2), (other, 3))}
    async with following(place.service, diary):
        for each in (place, other):
            await caught_up(each, diary, ends[each.id])
    for each in (place, other):
        assert diary.positions(each) == await facts_of(each)


async def test_several_followers_do_not_wait_for_each_other(place: Workspace) -> None:
    async def fail(db: AsyncSession, events: Sequence[Row[Any]]) -> None:
        raise ValueError

    quick, stuck, end = Diary(place), Diary(place, fail, name="stuck"), await grow(place, 2)
    async with following(place.service, stuck, quick, pace=SLOW_TO_RETRY):
        await caught_up(place, quick, end)
        row = await reader(place, stuck)
    assert quick.positions(place) == await facts_of(place)
    assert row is None or row.pos < end


async def test_a_hint_is_enough(place: Workspace) -> None:
    diary = Diary(place)
    async with following(place.service, diary, pace=DEAF) as followers:
        await caught_up(place, diary, await grow(place, 0))
        end = await grow(place, 3)
        followers.hint(place.id, end)
        await caught_up(place, diary, end)
    assert diary.positions(place) == await facts_of(place)


async def test_work_is_found_without_a_hint(place: Workspace) -> None:
    diary = Diary(place)
    async with following(place.service, diary):
        for _ in range(3):
            await caught_up(place, diary, await grow(place, 2))
    assert diary.positions(place) == await facts_of(place)
    assert len(diary.positions(place)) == 6


async def test_late_doubled_and_false_hints_change_nothing(place: Workspace) -> None:
    diary, end = Diary(place), await grow(place, 3)
    async with following(place.service, diary) as followers:
        for pos in (end, 1, end, end + 1_000, 0):
            followers.hint(place.id, pos)
        await caught_up(place, diary, end)
        followers.hint(place.id, 1)
        end = await grow(place, 1)
        followers.hint(place.id, end)
        await caught_up(place, diary, end)
    assert diary.positions(place) == await facts_of(place)


async def test_a_hint_to_one_who_does_not_run_is_not_kept(place: Workspace) -> None:
    diary = Diary(place)
    async with following(place.service, diary) as followers:
        pass
    followers.hint(place.id, await grow(place, 1))
    async with following(place.service, diary):
        await caught_up(place, diary, (await head_of(place)).pos)
    assert diary.positions(place) == await facts_of(place)
