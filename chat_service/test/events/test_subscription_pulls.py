"""What a pull gives, how much of it, and that neither a failed read nor a rewind is passed over."""

import asyncio

import pytest

from chat_service.events.feed import Reset
from chat_service.events.persist import RETRY_SECONDS
from chat_service.events.pump import RENDER_TRIES
from chat_service.events.subscription import GONE_SECONDS, PULL_BYTES
from chat_service.test.events.simulated.scene import Scene, settle, virtually


@virtually
async def test_what_retention_takes_under_a_slow_reader_resets_it() -> None:
    scene = Scene()
    reader = await scene.attached()
    scene.commit(200)
    await scene.hint()
    scene.world.remove(scene.world.sessions[0], 100)
    assert await reader.pull() == Reset.REMOVED
    assert await reader.attach_snapshot() == list(range(101, 201))


@virtually
async def test_a_reset_is_told_once_and_nothing_comes_before_the_next_attach() -> None:
    scene = Scene()
    reader = await scene.attached()
    scene.commit(2)
    await scene.hint()
    scene.world.rewind(1)
    await scene.feeds.check()
    assert await reader.pull() == Reset.REWOUND
    scene.commit()
    await scene.hint()
    assert await reader.pull() == []
    assert await reader.attach_snapshot() == [1, 2]
    scene.commit()
    await scene.hint()
    assert await reader.drain() == [3]


@virtually
async def test_a_pull_gives_at_most_64_events() -> None:
    scene = Scene()
    reader = await scene.attached()
    scene.commit(100)
    await scene.hint()
    assert [await reader.pull() for _ in range(3)] == [
        list(range(1, 65)),
        list(range(65, 101)),
        [],
    ]


@pytest.mark.parametrize(("size", "given"), [(PULL_BYTES // 4 - 99, 4), (PULL_BYTES * 2, 1)])
@virtually
async def test_a_pull_gives_at_most_64_kib_but_at_least_one_event(size: int, given: int) -> None:
    scene = Scene()
    scene.world.padding = size
    reader = await scene.attached()
    scene.commit(10)
    await scene.hint()
    assert await reader.pull() == list(range(1, given + 1))


@pytest.mark.conformance("one_failed_read_does_not_stop_a_stream")
@pytest.mark.parametrize(
    "question", ["head", "session_head", "read_feed", "render", "read_session"]
)
@pytest.mark.parametrize("tries", [1, 3, 10])
@virtually
async def test_one_failed_read_does_not_stop_a_stream(question: str, tries: int) -> None:
    scene = Scene()
    scene.commit(70)
    scene.source.fails[question] = tries
    reader = scene.reader()
    numbers = []
    attaching = asyncio.create_task(reader.attach())
    for _ in range(8 * tries):
        await settle(RETRY_SECONDS)
        numbers += await reader.drain()
        if attaching.done() and len(scene.world.log) == 70:
            scene.commit(70)
            await scene.hint()
    assert numbers == list(range(1, 141))
    assert scene.source.asked[question] > min(tries, RENDER_TRIES)


@virtually
async def test_a_failed_pull_wakes_when_it_may_be_tried_again() -> None:
    scene = Scene()
    scene.commit(2)
    reader = await scene.attached()
    scene.source.fails["read_session"] = 1
    assert await reader.pull() == []
    wakes, reads = reader.wakes, scene.source.asked["read_session"]
    assert await reader.pull() == []
    assert scene.source.asked["read_session"] == reads, "too soon"
    await settle(RETRY_SECONDS + 0.001)
    assert reader.wakes == wakes + 1
    assert await reader.pull() == [1, 2]


@virtually
async def test_a_promised_event_that_is_gone_hurries_the_head_check() -> None:
    scene = Scene()
    scene.commit(2)
    reader = scene.reader()
    await reader.attach_snapshot()
    scene.commit(70)
    await scene.hint()
    scene.world.rewind(70)
    async with scene.running():
        assert await reader.pull() == [], "the ring has no such number, the log no such event"
        await settle(GONE_SECONDS + 0.001)
    assert scene.source.asked["heads"] > 0
    assert await reader.pull() == Reset.REWOUND


@virtually
async def test_a_reader_that_closes_during_its_pull_is_given_nothing() -> None:
    scene = Scene()
    scene.commit()
    reader = await scene.attached()
    scene.source.held["read_session"] = held = asyncio.Event()
    pulling = asyncio.create_task(reader.pull())
    await settle()
    reader.subscription.close()
    held.set()
    assert await pulling == []


@virtually
async def test_a_rewind_during_a_pull_is_told_in_the_place_of_what_was_read() -> None:
    scene = Scene()
    scene.commit(3)
    reader = await scene.attached()
    scene.source.held["read_session"] = held = asyncio.Event()
    pulling = asyncio.create_task(reader.pull())
    await settle()
    scene.world.rewind(2)
    await scene.feeds.check()
    held.set()
    assert await pulling == Reset.REWOUND
