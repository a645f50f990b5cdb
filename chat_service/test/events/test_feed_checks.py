"""The head check: it finds what no hint told of, and a log that was rewound."""

import asyncio
from typing import Final
from uuid import UUID

from chat_service import metrics
from chat_service.events.feed import HEAD_SECONDS, OUTAGE_SECONDS, SPACING_SECONDS, Reset
from chat_service.schema import WorkspaceId
from chat_service.test.events.simulated.scene import Scene, Watcher, settle, virtually
from chat_service.test.events.simulated.world import WORKSPACE
from chat_service.test.figures import figures_of, grown, series

LATEST: Final = HEAD_SECONDS * 1.2 + 0.001


@virtually
async def test_a_lost_hint_is_found_by_the_head_check_in_time() -> None:
    scene = Scene()
    reader = await scene.attached()
    async with scene.running():
        scene.commit()
        await settle(LATEST)
        assert await reader.drain() == [1]


@virtually
async def test_one_query_checks_all_workspaces() -> None:
    scene = Scene()
    holds = [scene.feeds.hold(WorkspaceId(UUID(int=100 + number))) for number in range(50)]
    for hold in holds:
        await hold.open()
    await scene.feeds.check()
    assert scene.source.asked["heads"] == 1


@virtually
async def test_nobody_is_checked_where_nobody_listens() -> None:
    scene = Scene()
    await scene.feeds.check()
    assert scene.source.asked.total() == 0


@virtually
async def test_a_hurry_checks_at_once_and_only_once() -> None:
    scene = Scene()
    reader = await scene.attached()
    async with scene.running():
        scene.commit()
        for _ in range(5):
            scene.feeds.hurry()
        await settle(0.5)
        assert scene.source.asked["heads"] == 1
        assert await reader.drain() == [1]


@virtually
async def test_however_many_are_in_a_hurry_the_database_is_not_flooded() -> None:
    scene = Scene()
    await scene.attached()
    async with scene.running():
        for _ in range(1000):
            scene.feeds.hurry()
            await settle(0.001)
    assert 5 <= scene.source.asked["heads"] <= 1 / SPACING_SECONDS + 1


@virtually
async def test_checks_in_a_hurry_put_off_the_next_and_leave_none_behind() -> None:
    scene = Scene()
    await scene.attached()
    async with scene.running():
        for _ in range(10):
            scene.feeds.hurry()
            await settle(0.2)
        await settle(LATEST)
    assert scene.source.asked["heads"] == 10 + 1


@virtually
async def test_heads_are_checked_each_second_during_an_outage() -> None:
    scene = Scene()
    await scene.attached()
    scene.feeds.outage = True
    async with scene.running():
        await settle(10 * OUTAGE_SECONDS)
        assert 7 <= scene.source.asked["heads"] <= 12


@virtually
async def test_a_failed_head_check_is_repeated_soon() -> None:
    scene = Scene()
    reader = await scene.attached()
    scene.source.fails["heads"] = 2
    async with scene.running():
        scene.commit()
        await settle(LATEST + 2 * (OUTAGE_SECONDS * 1.2 + 0.1))
        assert await reader.drain() == [1]


@virtually
async def test_head_checks_are_counted_and_those_that_failed_apart() -> None:
    scene, before = Scene(), figures_of(metrics.exposition().decode())
    await scene.attached()
    scene.source.fails["heads"] = 2
    async with scene.running():
        for _ in range(5):
            scene.feeds.hurry()
            await settle(0.2)
    growth = grown(before, figures_of(metrics.exposition().decode()))
    assert growth[series("chat_head_checks_total", kind="failed")] == 2
    assert growth[series("chat_head_checks_total", kind="done")] == 3


@virtually
async def test_a_feed_lags_by_what_it_has_heard_of_and_not_read() -> None:
    scene = Scene()
    await scene.attached()
    held = scene.source.held["read_feed"] = asyncio.Event()
    scene.commit(3)
    await scene.hint()
    assert (len(scene.feeds), scene.feeds.lag) == (1, 3)
    held.set()
    await settle()
    assert scene.feeds.lag == 0


@virtually
async def test_a_feed_that_could_not_open_is_opened_by_the_head_check() -> None:
    scene = Scene()
    scene.commit()
    scene.source.fails["head"] = 1
    attaching = asyncio.create_task(scene.attached())
    await settle()
    await scene.feeds.check()
    reader = await attaching
    assert scene.source.asked["head"] == 1
    assert await reader.drain() == [1]


@virtually
async def test_all_who_attach_at_once_open_the_feed_once() -> None:
    scene = Scene()
    await asyncio.gather(*(scene.reader(session=number % 3).attach() for number in range(20)))
    assert scene.source.asked["head"] == 1


@virtually
async def test_a_rewind_is_found_by_the_head_check_and_told_to_all() -> None:
    scene = Scene()
    watcher = Watcher()
    scene.feeds.observe(watcher)
    readers = [await scene.attached() for _ in range(3)]
    scene.commit(3)
    await scene.hint()
    scene.world.rewind(2)
    await scene.feeds.check()
    assert [await reader.pull() for reader in readers] == [Reset.REWOUND] * 3
    assert watcher.rewinds == 1


@virtually
async def test_another_event_at_the_head_is_a_rewind() -> None:
    scene = Scene()
    reader = await scene.attached()
    scene.commit()
    await scene.hint()
    scene.world.rewind(1)
    scene.commit()
    await scene.feeds.check()
    assert await reader.pull() == Reset.REWOUND


@virtually
async def test_a_rewind_that_is_overgrown_is_found_by_the_next_read() -> None:
    scene = Scene()
    reader = await scene.attached()
    scene.commit(3)
    await scene.hint()
    scene.world.rewind(1)
    scene.commit(10)
    await scene.hint()
    assert await reader.pull() == Reset.REWOUND


@virtually
async def test_a_check_answered_after_a_rewind_was_seen_tells_nobody_again() -> None:
    scene = Scene()
    reader = await scene.attached()
    scene.commit(3)
    await scene.hint()
    held = scene.source.held["heads"] = asyncio.Event()
    scene.world.rewind(2)
    checking = asyncio.create_task(scene.feeds.check())
    await settle()
    await scene.hint(4)
    assert await reader.pull() == Reset.REWOUND
    await reader.attach_snapshot()
    held.set()
    await checking
    assert await reader.pull() == []


@virtually
async def test_after_a_rewind_a_feed_begins_anew_at_once() -> None:
    scene = Scene()
    watcher = Watcher()
    scene.feeds.observe(watcher)
    hold = scene.feeds.hold(WORKSPACE)
    scene.commit(3)
    await hold.open()
    async with scene.running():
        scene.world.rewind(2)
        scene.commit(9)
        await scene.hint()
        await settle(0.5)
        scene.commit()
        await scene.hint()
    assert watcher.rewinds == 1
    assert watcher.seen == [11]
