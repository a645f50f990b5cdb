"""One connection's place: where it may begin, by a cursor or a snapshot, and when it ends."""

import asyncio

import pytest

from chat_service.errors import NotFound
from chat_service.events.feed import Reset, Side
from chat_service.events.persist import RETRY_SECONDS, Left
from chat_service.schema import fence
from chat_service.test.events.simulated.scene import Scene, settle, virtually


@virtually
async def test_a_reader_gets_all_after_its_cursor() -> None:
    scene = Scene()
    second = [scene.commit() for _ in range(4)][1]
    reader = scene.reader()
    assert await reader.attach(2, fence(second.id)) == 4
    assert await reader.drain() == [3, 4]


@virtually
async def test_each_side_has_its_own_numbers() -> None:
    scene = Scene()
    staff, customer = scene.reader(Side.STAFF), scene.reader(Side.CUSTOMER)
    await staff.attach()
    await customer.attach()
    for internal in (False, True, True, False):
        scene.commit(internal=internal)
    await scene.hint()
    assert await staff.drain() == [1, 2, 3, 4]
    assert await customer.drain() == [1, 2]


@virtually
async def test_an_internal_event_does_not_even_wake_a_customer() -> None:
    scene = Scene()
    customer = scene.reader(Side.CUSTOMER)
    await customer.attach()
    wakes = customer.wakes
    scene.commit(internal=True)
    await scene.hint()
    assert customer.wakes == wakes


@pytest.mark.parametrize(
    ("position", "end", "expected"),
    [
        (0, None, 5),
        (3, "that of 3", 5),
        (5, "that of 5", 5),
        (3, None, 5),
        (3, "00000000", Reset.CURSOR_MISMATCH),
        (6, "00000000", Reset.CURSOR_AHEAD),
        (6, None, Reset.CURSOR_AHEAD),
    ],
)
@virtually
async def test_a_cursor_is_compared_with_the_log(
    position: int, end: str | None, expected: int | Reset
) -> None:
    scene = Scene()
    events = [scene.commit() for _ in range(5)]
    if end is not None and end.startswith("that"):
        end = fence(events[position - 1].id)
    reader = scene.reader()
    assert await reader.attach(position, end) == expected
    assert reader.subscription.ready is not isinstance(expected, Reset)
    assert await reader.drain() == (
        [] if isinstance(expected, Reset) else [1, 2, 3, 4, 5][position:]
    )


@pytest.mark.parametrize("position", [0, 2, 3])
@virtually
async def test_what_retention_took_expires_a_cursor(position: int) -> None:
    scene = Scene()
    events = [scene.commit() for _ in range(5)]
    scene.world.remove(scene.world.sessions[0], 3)
    end = fence(events[position - 1].id) if position else None
    assert await scene.reader().attach(position, end) == Reset.CURSOR_EXPIRED


@virtually
async def test_a_cursor_at_the_oldest_event_kept_is_good() -> None:
    scene = Scene()
    events = [scene.commit() for _ in range(5)]
    scene.world.remove(scene.world.sessions[0], 3)
    assert await scene.reader().attach(4, fence(events[3].id)) == 5


@virtually
async def test_a_reader_too_far_behind_is_told_so_where_it_asks() -> None:
    scene = Scene()
    scene.commit(501)
    assert await scene.reader().attach(at_most=500) == Reset.TOO_FAR_BEHIND
    assert await scene.reader().attach(at_most=501) == 501
    assert await scene.reader().attach() == 501


@virtually
async def test_a_reader_is_behind_by_what_came_since_it_began() -> None:
    scene = Scene()
    reader, other = scene.reader(), await scene.attached()
    assert reader.subscription.behind == 0
    scene.commit(100)
    assert await reader.attach() == 100
    assert reader.subscription.behind == 0
    scene.commit(100)
    await scene.hint()
    assert len(await reader.pull()) == 64
    assert reader.subscription.behind == 100
    assert len(await reader.pull()) == 64
    assert reader.subscription.behind == 72
    assert (other.subscription.behind, len(await other.drain())) == (200, 200)
    assert other.subscription.behind == 0
    scene.world.rewind(10)
    await scene.feeds.check()
    assert reader.subscription.behind == 0


@virtually
async def test_a_snapshot_goes_on_without_gap_or_repeat() -> None:
    scene = Scene()
    scene.commit(3)
    reader = scene.reader()
    scene.source.held["snapshot"] = held = asyncio.Event()
    attaching = asyncio.create_task(reader.attach_snapshot())
    await settle()
    scene.commit(2)
    await scene.hint()
    held.set()
    assert await attaching == [1, 2, 3]
    assert await reader.drain() == [4, 5]


@virtually
async def test_a_snapshot_is_taken_again_where_the_log_was_rewound_meanwhile() -> None:
    scene = Scene()
    await scene.attached()
    scene.commit(3)
    await scene.hint()
    reader = scene.reader()
    scene.source.held["snapshot"] = held = asyncio.Event()
    attaching = asyncio.create_task(reader.attach_snapshot())
    await settle()
    scene.world.rewind(2)
    await scene.feeds.check()
    held.set()
    assert await attaching == [1]
    assert await reader.drain() == []


@virtually
async def test_a_refusal_that_no_repeat_can_help_is_the_callers() -> None:
    scene = Scene()
    scene.source.fails["snapshot"] = 1
    scene.source.error = NotFound()
    reader = scene.reader()
    with pytest.raises(NotFound):
        await reader.attach_snapshot()
    assert await reader.attach_snapshot() == []


@virtually
async def test_a_closed_reader_is_woken_no_more() -> None:
    scene = Scene()
    reader, other = await scene.attached(), await scene.attached()
    scene.source.fails["read_session"] = 1
    scene.commit(70)
    await scene.hint()
    assert await reader.pull() == []
    wakes = reader.wakes
    reader.subscription.close()
    scene.commit()
    await scene.hint()
    await settle(RETRY_SECONDS + 0.001)
    scene.world.rewind(71)
    await scene.feeds.check()
    assert reader.wakes == wakes
    assert await reader.pull() == []
    assert await other.pull() == Reset.REWOUND


@virtually
async def test_closing_ends_an_attach_under_way() -> None:
    scene = Scene()
    reader = scene.reader()
    scene.source.fails["session_head"] = 1000
    attaching = asyncio.create_task(reader.attach())
    await settle(1.0)
    reader.subscription.close()
    with pytest.raises(Left):
        await attaching
    assert reader.wakes == 0
