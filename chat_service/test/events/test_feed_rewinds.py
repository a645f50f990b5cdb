"""Rewinds and reads placed to the moment: what the property test meets too rarely to rely on it.

Each story is told twice: by the product, and by a part that forgot a rule, which is then exposed.
"""

import asyncio

import pytest

from chat_service.events.feed import Feeds, Reset
from chat_service.schema import fence
from chat_service.test.events.simulated.planted import (
    NoLookAhead,
    NoLookBack,
    NoOverlapInSender,
    ReadsSessionFirst,
    with_feed,
    with_subscription,
)
from chat_service.test.events.simulated.scene import Reader, Scene, settle, virtually


async def first_attach(feeds: type[Feeds]) -> list[int]:
    """An event is committed between the two reads of the very first attach, and hinted at."""
    scene = Scene(feeds)
    reader = scene.reader()
    scene.source.meanwhile = scene.commit
    await reader.attach()
    await scene.hint()
    return await reader.drain()


async def rewound_before_the_next_read(feeds: type[Feeds]) -> list[int] | Reset:
    """A slow reader goes on reading where the ring has nothing, from a log that was rewound."""
    scene = Scene(feeds)
    reader = scene.reader()
    await reader.attach()
    scene.commit(200)
    await scene.hint()
    assert await reader.pull() == list(range(1, 65))
    scene.world.rewind(150)
    scene.commit(60)
    return await reader.pull()


async def reader_ahead_of_its_feed(scene: Scene) -> Reader:
    """A reader with a snapshot up to an event that its feed has not heard of, and that is lost."""
    scene.commit(2)
    await scene.reader().attach()
    scene.commit()
    reader = scene.reader()
    assert await reader.attach_snapshot() == [1, 2, 3]
    scene.world.rewind(1)
    return reader


async def overtaken_by_another_line(feeds: type[Feeds]) -> list[int] | Reset:
    """The place of the lost event is taken by one of another session, which the feed comes to."""
    scene = Scene(feeds)
    reader = await reader_ahead_of_its_feed(scene)
    scene.commit(session=1)
    await settle()
    return await reader.pull()


async def rewound_during_an_attach(feeds: type[Feeds]) -> int | Reset:
    """While the answer is on its way, its event is lost, and the feed passes that place."""
    scene = Scene(feeds)
    scene.commit(2)
    await scene.reader().attach()
    event = scene.commit()
    held = scene.source.held["session_head"] = asyncio.Event()
    attaching = asyncio.create_task(scene.reader().attach(3, fence(event.id)))
    await settle()
    scene.world.rewind(1)
    scene.commit(session=1)
    await scene.hint()
    held.set()
    return await attaching


@pytest.mark.conformance("event_committed_during_first_attach_is_delivered")
@virtually
async def test_event_committed_during_first_attach_is_delivered() -> None:
    assert await first_attach(Feeds) == [1]


@virtually
async def test_a_session_read_before_the_feed_has_its_position_is_exposed() -> None:
    assert await first_attach(with_subscription(ReadsSessionFirst)) == []


@pytest.mark.conformance("rewind_between_ring_and_sender_resets")
@virtually
async def test_rewind_between_ring_and_sender_resets() -> None:
    assert await rewound_before_the_next_read(Feeds) == Reset.REWOUND


@virtually
async def test_a_sender_without_overlap_is_exposed() -> None:
    mixed = await rewound_before_the_next_read(with_subscription(NoOverlapInSender))
    assert mixed == list(range(65, 111))


@virtually
async def test_an_event_given_ahead_of_the_feed_and_replaced_resets() -> None:
    assert await overtaken_by_another_line(Feeds) == Reset.REWOUND


@virtually
async def test_a_feed_that_does_not_look_ahead_is_exposed() -> None:
    assert await overtaken_by_another_line(with_feed(NoLookAhead)) == []


@virtually
async def test_an_event_given_ahead_of_the_feed_and_lost_is_found_by_the_head_check() -> None:
    scene = Scene()
    reader = await reader_ahead_of_its_feed(scene)
    await settle()
    assert await reader.pull() == []
    await scene.feeds.check()
    assert await reader.pull() == Reset.REWOUND


@virtually
async def test_what_a_reader_had_ahead_of_its_feed_matters_no_more_when_it_left() -> None:
    scene = Scene()
    reader = await reader_ahead_of_its_feed(scene)
    other = scene.reader()
    await other.attach_snapshot()
    reader.subscription.close()
    await settle()
    await scene.feeds.check()
    assert await other.pull() == []


@virtually
async def test_a_rewind_during_an_attach_is_seen() -> None:
    assert await rewound_during_an_attach(Feeds) == Reset.CURSOR_AHEAD


@virtually
async def test_an_attach_that_does_not_look_back_is_exposed() -> None:
    assert await rewound_during_an_attach(with_subscription(NoLookBack)) == 3


@virtually
async def test_a_rewind_during_a_pull_of_what_the_feed_then_passed_is_seen() -> None:
    scene = Scene()
    scene.commit(2)
    reader, other = scene.reader(), scene.reader()
    await reader.attach_snapshot()
    scene.commit()
    scene.source.fails["read_feed"] = 1
    await other.attach_snapshot()
    held = scene.source.held["read_session"] = asyncio.Event()
    pulling = asyncio.create_task(reader.pull())
    await settle()
    other.subscription.close()
    scene.world.rewind(1)
    scene.commit(session=1)
    await settle(1.0)
    held.set()
    assert await pulling == Reset.REWOUND


@pytest.mark.parametrize("question", ["read_feed", "render"])
@virtually
async def test_rows_that_come_after_a_rewind_was_seen_are_dropped(question: str) -> None:
    scene = Scene()
    reader = await scene.attached()
    scene.commit()
    await scene.hint()
    assert await reader.drain() == [1]
    held = scene.source.held[question] = asyncio.Event()
    scene.commit(3)
    await scene.hint()
    scene.world.rewind(4)
    await scene.feeds.check()
    assert await reader.pull() == Reset.REWOUND
    assert await reader.attach_snapshot() == []
    held.set()
    await settle()
    assert await reader.pull() == []
    scene.commit()
    await scene.hint()
    assert await reader.drain() == [1]


@virtually
async def test_an_answer_from_before_a_rewind_does_not_open_a_feed() -> None:
    scene = Scene()
    scene.commit(3)
    reader = scene.reader()
    held = scene.source.held["head"] = asyncio.Event()
    attaching = asyncio.create_task(reader.attach())
    await settle()
    await scene.feeds.check()
    scene.world.rewind(2)
    await scene.feeds.check()
    held.set()
    assert await attaching == 1
    assert scene.source.asked["head"] == 2
    await scene.feeds.check()
    assert await reader.drain() == [1]


@pytest.mark.parametrize("first", [0, 1])
@virtually
async def test_a_hole_in_the_log_resets_and_is_never_skipped(first: int) -> None:
    scene = Scene()
    reader = await scene.attached()
    scene.commit(3)
    del scene.world.log[first]
    await scene.hint(3)
    assert await reader.pull() == Reset.REWOUND
