"""Followers that were left behind for days while the log went on, and those that only seem so."""

from datetime import timedelta

from structlog.testing import capture_logs

from chat_service.events import log
from chat_service.schema import ReaderStatus, utc_now
from chat_service.test.builders import Workspace, writing
from chat_service.test.events.follow.following import (
    Diary,
    caught_up,
    change_reader,
    eventually,
    facts_of,
    following,
    grow,
    reader,
)
from chat_service.test.events.logs import fact, head_of


async def happen(workspace: Workspace, *days_ago: float) -> int:
    """Let something happen on each of these days; where the log ends then."""
    async with writing(workspace.service) as db:
        for days in days_ago:
            at = utc_now() - timedelta(days=days)
            log.record(db, fact(workspace.id).model_copy(update={"at": at}))
    return (await head_of(workspace)).pos


async def followed_until(workspace: Workspace, diary: Diary, days_ago: float) -> int:
    """Let a follower have read all, for the last time so many days ago; where that was."""
    end = await grow(workspace, 1)
    async with following(workspace.service, diary):
        await caught_up(workspace, diary, end)
    last = utc_now() - timedelta(days=days_ago)
    await change_reader(workspace, diary, leased_until=last)
    return end


async def test_a_follower_nobody_ran_for_7_days_has_expired_and_says_so(place: Workspace) -> None:
    diary = Diary(place)
    pos = await followed_until(place, diary, 8)
    end = await happen(place, 7.9, 5, 3, 1.5, 0)

    async def has_expired() -> bool:
        row = await reader(place, diary)
        return row is not None and row.status is ReaderStatus.EXPIRED

    with capture_logs() as logs:
        async with following(place.service, diary):
            await eventually(has_expired)
    row = await reader(place, diary)
    assert row is not None and (row.pos, row.owner) == (pos, None)
    assert diary.positions(place) == [pos]
    await change_reader(place, diary, status=ReaderStatus.ACTIVE)
    async with following(place.service, diary):
        await caught_up(place, diary, end)
    assert diary.positions(place) == await facts_of(place)
    (said,) = [line for line in logs if line["event"] == "follower_expired"]
    assert (said["follower"], said["workspace"]) == (diary.name, str(place.id))


async def test_one_that_was_away_for_less_goes_on(place: Workspace) -> None:
    diary = Diary(place)
    await followed_until(place, diary, 6.9)
    end = await happen(place, 6.8, 5, 3, 1.5, 0)
    async with following(place.service, diary):
        await caught_up(place, diary, end)
    assert diary.positions(place) == await facts_of(place)


async def test_a_new_follower_catches_up_with_years(place: Workspace) -> None:
    diary, end = Diary(place), await happen(place, 1_000, 700, 400, 100, 10, 0)
    async with following(place.service, diary):
        await caught_up(place, diary, end)
    assert diary.positions(place) == await facts_of(place)


async def test_a_service_that_was_off_for_weeks_goes_on_where_it_was(place: Workspace) -> None:
    diary = Diary(place)
    await followed_until(place, diary, 30)
    end = await happen(place, 29.99, 29.98, 0)
    async with following(place.service, diary):
        await caught_up(place, diary, end)
    assert diary.positions(place) == await facts_of(place)


async def test_a_workspace_where_little_happens_is_followed_for_ever(place: Workspace) -> None:
    diary = Diary(place)
    for days in (90, 60, 30, 0):
        await followed_until(place, diary, days)
    assert diary.positions(place) == await facts_of(place)
