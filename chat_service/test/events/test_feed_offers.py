"""What a process has committed itself: it costs no read, and is believed no more than what is read."""

import asyncio

from chat_service.events.feed import Feeds, Reset
from chat_service.events.pump import OFFERS
from chat_service.test.events.simulated.planted import BelievesOldAnswers, with_feed
from chat_service.test.events.simulated.scene import Scene, settle, virtually


@virtually
async def test_what_was_committed_here_is_not_read_again() -> None:
    scene = Scene()
    reader = await scene.attached()
    for count in (1, 3, 2):
        await scene.offer(scene.grow(count))
    assert await reader.drain() == [1, 2, 3, 4, 5, 6]
    assert scene.source.asked["read_feed"] == 0


@virtually
async def test_what_others_committed_between_is_read_and_what_follows_is_not() -> None:
    scene = Scene()
    reader = await scene.attached()
    await scene.offer(scene.grow())
    scene.commit(2)
    for _ in range(2):
        await scene.offer(scene.grow())
        assert scene.source.asked["read_feed"] == 1
    assert await reader.drain() == [1, 2, 3, 4, 5]


@virtually
async def test_commits_that_are_told_of_out_of_order_come_in_order() -> None:
    scene = Scene()
    reader = await scene.attached()
    first, second = scene.grow(), scene.grow()
    scene.feeds.offer(second)
    scene.feeds.offer(first)
    await settle()
    assert await reader.drain() == [1, 2]
    assert scene.source.asked["read_feed"] == 0


@virtually
async def test_what_is_known_already_is_not_told_again() -> None:
    scene = Scene()
    reader = await scene.attached()
    first, second = scene.grow(), scene.grow()
    await scene.hint()
    for growth in (second, first, scene.grow()):
        await scene.offer(growth)
    assert await reader.drain() == [1, 2, 3]


@virtually
async def test_what_cannot_be_rendered_at_first_is_read() -> None:
    scene = Scene()
    reader = await scene.attached()
    scene.source.fails["render"] = 1
    await scene.offer(scene.grow(2))
    await settle(0.1)
    assert await reader.drain() == [1, 2]
    assert scene.source.asked["read_feed"] == 1


@virtually
async def test_few_commits_wait_and_the_others_are_read() -> None:
    scene = Scene()
    reader = await scene.attached()
    held = scene.source.held["render"] = asyncio.Event()
    for _ in range(3 * OFFERS):
        await scene.offer(scene.grow())
    held.set()
    await settle()
    assert len(await reader.drain()) == 3 * OFFERS
    assert scene.source.asked["read_feed"] == 1


@virtually
async def test_nothing_is_kept_where_nobody_listens() -> None:
    scene = Scene()
    reader = await scene.attached()
    reader.subscription.close()
    await scene.offer(scene.grow())
    assert len(scene.feeds) == 0


@virtually
async def test_a_commit_on_another_line_of_the_log_resets() -> None:
    scene = Scene()
    reader = await scene.attached()
    await scene.offer(scene.grow(3))
    assert await reader.drain() == [1, 2, 3]
    scene.world.rewind(1)
    scene.commit()
    await scene.offer(scene.grow())
    assert await reader.pull() == Reset.REWOUND


@virtually
async def test_a_commit_that_is_lost_before_it_is_told_of_is_found_by_the_head_check() -> None:
    scene = Scene()
    reader = await scene.attached()
    await scene.offer(scene.grow(2))
    growth = scene.grow()
    scene.world.rewind(1)
    await scene.offer(growth)
    assert await reader.pull() == [1, 2, 3]
    await scene.feeds.check()
    assert await reader.pull() == Reset.REWOUND


async def told_of_after_a_rewind(feeds: type[Feeds]) -> list[int] | Reset:
    """A reader begins on the new line of a log, then a commit on the old one is told of."""
    scene = Scene(feeds)
    await scene.reader(session=1).attach()
    await scene.offer(scene.grow(2))
    growth = scene.grow()
    scene.world.rewind(2)
    scene.commit()
    reader = scene.reader()
    assert await reader.attach_snapshot() == [1, 2]
    await scene.offer(growth)
    given = await reader.pull()
    await scene.feeds.check()
    return given or await reader.pull()


@virtually
async def test_a_commit_older_than_what_a_reader_has_is_not_believed() -> None:
    assert await told_of_after_a_rewind(Feeds) == Reset.REWOUND


@virtually
async def test_a_feed_that_believes_it_is_exposed() -> None:
    assert await told_of_after_a_rewind(with_feed(BelievesOldAnswers)) == [3]


@virtually
async def test_a_commit_older_than_the_position_of_the_feed_is_only_a_hint() -> None:
    scene = Scene()
    scene.commit(2)
    lost = scene.grow()
    scene.world.rewind(1)
    reader = scene.reader()
    assert await reader.attach_snapshot() == [1, 2]
    await scene.offer(lost)
    assert await reader.pull() == []
    await scene.offer(scene.grow())
    assert await reader.drain() == [3]


@virtually
async def test_a_commit_told_of_while_there_is_no_position_is_only_a_hint() -> None:
    scene = Scene()
    reader = await scene.attached()
    await scene.offer(scene.grow(2))
    lost = scene.grow()
    scene.world.rewind(2)
    await scene.feeds.check()
    await scene.offer(lost)
    assert await reader.pull() == Reset.REWOUND
    scene.commit()
    assert await reader.attach_snapshot() == [1, 2]
    await settle()
    assert await reader.pull() == []


@virtually
async def test_what_was_passed_by_does_not_stay_in_the_way_of_later_commits() -> None:
    scene = Scene()
    reader = await scene.attached()
    for _ in range(2 * OFFERS):
        scene.commit()
        await scene.offer(scene.grow())
    reads = scene.source.asked["read_feed"]
    await scene.offer(scene.grow())
    assert scene.source.asked["read_feed"] == reads
    assert len(await reader.drain()) == 4 * OFFERS + 1


@virtually
async def test_a_commit_during_a_read_is_told_once() -> None:
    scene = Scene()
    reader = await scene.attached()
    held = scene.source.held["read_feed"] = asyncio.Event()
    scene.commit()
    await scene.hint()
    await scene.offer(scene.grow())
    held.set()
    await settle()
    assert await reader.drain() == [1, 2]
    assert scene.source.asked["read_feed"] == 1
