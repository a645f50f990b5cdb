"""The feeds of a process: what hints do, who is told, and when it ends."""

import asyncio
from collections.abc import Sequence

import pytest
import structlog

from chat_service.events.feed import Row
from chat_service.events.pump import READ_ROWS
from chat_service.schema import WorkspaceId
from chat_service.test.events.simulated.scene import Scene, Watcher, settle, virtually
from chat_service.test.events.simulated.world import WORKSPACE


class Broken(Watcher):
    """An observer with a fault."""

    def __call__(self, workspace_id: WorkspaceId, rows: Sequence[Row], /) -> None:
        raise RuntimeError("a fault of the observer")

    def rewound(self, workspace_id: WorkspaceId, /) -> None:
        """Fail, too."""
        raise RuntimeError("a fault of the observer")


@virtually
async def test_a_hint_brings_what_was_committed() -> None:
    scene = Scene()
    reader = await scene.attached()
    scene.commit(3)
    await scene.hint()
    assert await reader.drain() == [1, 2, 3]


@virtually
async def test_late_and_doubled_hints_cost_nothing() -> None:
    scene = Scene()
    reader = await scene.attached()
    scene.commit(3)
    await scene.hint()
    reads = scene.source.asked["read_feed"]
    for pos in (3, 3, 1, 2):
        await scene.hint(pos)
    assert scene.source.asked["read_feed"] == reads
    assert await reader.drain() == [1, 2, 3]


@virtually
async def test_hints_out_of_order_bring_events_in_order() -> None:
    scene = Scene()
    reader = await scene.attached()
    scene.commit(5)
    for pos in (4, 2, 5, 1):
        scene.feeds.hint(WORKSPACE, pos)
    await settle()
    assert await reader.drain() == [1, 2, 3, 4, 5]


@virtually
async def test_a_hint_beyond_the_log_costs_one_read() -> None:
    scene = Scene()
    reader = await scene.attached()
    await scene.hint(10**15)
    assert scene.source.asked["read_feed"] == 1
    scene.commit()
    await scene.hint()
    assert await reader.drain() == [1]


@virtually
async def test_a_hint_heard_during_a_read_is_kept() -> None:
    scene = Scene()
    reader = await scene.attached()
    held = scene.source.held["read_feed"] = asyncio.Event()
    await scene.hint(1)
    scene.commit(2)
    await scene.hint()
    held.set()
    await settle()
    assert scene.source.asked["read_feed"] == 2, "the first had found nothing"
    assert await reader.drain() == [1, 2]


@virtually
async def test_a_late_hint_does_not_end_what_is_being_tried_again() -> None:
    scene = Scene()
    reader = await scene.attached()
    scene.commit(3)
    await scene.hint()
    scene.commit()
    scene.source.fails["read_feed"] = 1
    await scene.hint()
    await scene.hint(2)
    await settle(1.0)
    assert await reader.drain() == [1, 2, 3, 4]


@virtually
async def test_a_long_absence_is_read_page_by_page() -> None:
    scene = Scene()
    reader = await scene.attached()
    scene.commit(2 * READ_ROWS)
    await scene.hint()
    assert scene.source.asked["read_feed"] == 3
    assert await reader.drain() == list(range(1, 2 * READ_ROWS + 1))


@virtually
async def test_observers_are_told_of_each_row_once_and_in_order() -> None:
    scene = Scene()
    watcher = Watcher()
    scene.feeds.observe(watcher)
    hold = scene.feeds.hold(WORKSPACE)
    scene.commit(2)
    assert await hold.open() == 2
    scene.commit(2)
    scene.commit(internal=True, session=1)
    await scene.hint(4)
    await scene.hint()
    assert watcher.seen == [3, 4, 5]


@virtually
async def test_a_broken_observer_keeps_nobody_in_the_dark() -> None:
    scene = Scene()
    watcher = Watcher()
    scene.feeds.observe(Broken())
    scene.feeds.observe(watcher)
    reader = await scene.attached()
    scene.commit()
    await scene.hint()
    assert watcher.seen == [1]
    assert await reader.drain() == [1]
    scene.world.rewind(1)
    await scene.feeds.check()
    assert watcher.rewinds == 1


@virtually
async def test_what_a_feed_logs_does_not_go_by_the_id_of_one_request() -> None:
    scene = Scene()
    seen: list[object] = []
    with structlog.contextvars.bound_contextvars(request_id="one of many"):
        await scene.attached()
        scene.commit()
        scene.source.meanwhile = lambda: seen.append(structlog.contextvars.get_contextvars())
        await scene.hint()
    assert seen == [{}]


@virtually
async def test_a_feed_ends_with_its_last_holder() -> None:
    scene = Scene()
    reader, hold = await scene.attached(), scene.feeds.hold(WORKSPACE)
    reader.subscription.close()
    scene.commit()
    await scene.hint()
    assert scene.source.asked["read_feed"] == 1, "the hold keeps it"
    hold.close()
    scene.commit()
    await scene.hint()
    await scene.feeds.check()
    assert scene.source.asked["read_feed"] == 1
    assert scene.source.asked["heads"] == 0


@virtually
async def test_nothing_is_tried_again_for_those_who_left() -> None:
    scene = Scene()
    reader = await scene.attached()
    scene.source.fails["read_feed"] = 1000
    await scene.hint(1)
    reader.subscription.close()
    await settle(10.0)
    assert scene.source.asked["read_feed"] == 1


@virtually
async def test_letting_go_twice_does_not_end_the_feed_of_others() -> None:
    scene = Scene()
    first = scene.feeds.hold(WORKSPACE)
    first.close()
    reader = await scene.attached()
    first.close()
    scene.commit()
    await scene.hint()
    assert await reader.drain() == [1]


@virtually
async def test_nothing_runs_on_when_the_feeds_have_ended() -> None:
    scene = Scene()
    await scene.attached()
    scene.source.fails["read_feed"] = 1000
    async with scene.running():
        await scene.hint(1)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("tries", [1, 4, 30])
@virtually
async def test_failed_reads_do_not_stop_the_feed(tries: int) -> None:
    scene = Scene()
    reader = await scene.attached()
    scene.source.fails["read_feed"] = tries
    scene.commit()
    await scene.hint()
    await settle(tries)
    assert await reader.drain() == [1]
    assert scene.source.asked["read_feed"] == tries + 1
