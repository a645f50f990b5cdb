"""What is rendered and kept: only where somebody listens, never what was erased, within bounds."""

import asyncio
import gc

import pytest

from chat_service.events.feed import Item, Side
from chat_service.events.live import AGAIN_ROWS
from chat_service.events.pump import PAUSES, RENDER_TRIES
from chat_service.events.ring import RING_EVENTS
from chat_service.test.events.simulated.scene import Scene, settle, virtually


@virtually
async def test_an_event_of_a_session_nobody_listens_to_costs_no_rendering() -> None:
    scene = Scene()
    await scene.attached()
    scene.commit(5, session=1)
    await scene.hint()
    assert scene.source.asked["read_feed"] == 1
    assert scene.source.asked["render"] == 0


@virtually
async def test_a_session_is_forgotten_with_its_last_reader() -> None:
    scene = Scene()
    await scene.reader(session=1).attach()
    first, second = await scene.attached(), await scene.attached()
    for reader, renders in ((first, 1), (second, 1)):
        reader.subscription.close()
        scene.commit()
        await scene.hint()
        assert scene.source.asked["render"] == renders


@virtually
async def test_an_event_is_rendered_once_for_all_readers_of_a_side() -> None:
    scene = Scene()
    readers = [scene.reader(side) for side in Side for _ in range(20)]
    for reader in readers:
        await reader.attach()
    scene.commit(3)
    await scene.hint()
    assert [await reader.pull() for reader in readers] == [[1, 2, 3]] * 40
    assert scene.source.asked["render"] == 1
    assert scene.source.rendered == 3 * len(Side)
    assert scene.source.asked["read_session"] == 0


@virtually
async def test_live_readers_need_no_query_of_their_own() -> None:
    scene = Scene()
    readers = [await scene.attached() for _ in range(20)]
    for number in range(1, 2 * RING_EVENTS):
        scene.commit()
        await scene.hint()
        assert [await reader.pull() for reader in readers] == [[number]] * 20
    assert scene.source.asked["read_session"] == 0


@pytest.mark.parametrize("together", [True, False])
@virtually
async def test_erased_text_is_not_replayed(together: bool) -> None:
    scene = Scene()
    reader = await scene.attached()
    first = scene.commit()
    scene.commit()
    if not together:
        await scene.hint()
    scene.change(first)
    await scene.hint()
    assert await reader.texts() == ["2", "1", "2"]
    assert scene.source.asked["read_session"] == 0, "the ring had it"


@virtually
async def test_a_change_of_another_session_replaces_nothing() -> None:
    scene = Scene()
    await scene.attached()
    await scene.reader(session=1).attach()
    scene.commit(10)
    other = scene.commit(session=1)
    await scene.hint()
    renders = scene.source.rendered
    scene.change(other, session=1)
    await scene.hint()
    assert scene.source.rendered - renders == 2, "the change, and the message it changed"


@virtually
async def test_many_changes_at_once_are_rendered_within_bounds() -> None:
    scene = Scene(sessions=40)
    readers = [scene.reader(session=session) for session in range(40)]
    for session, reader in enumerate(readers):
        await reader.attach()
        scene.commit(RING_EVENTS - 1, session=session)
    await scene.hint()
    renders = scene.source.rendered
    for session in range(40):
        view = scene.world.view(scene.world.sessions[session], Side.STAFF)
        scene.change(view[-1], session=session)
    await scene.hint()
    assert scene.source.rendered - renders <= AGAIN_ROWS + RING_EVENTS + 40
    for reader in readers:
        assert (await reader.texts())[-2:] == ["2", "2"]
    assert 0 < scene.source.asked["read_session"] < len(readers), "the rings of some were kept"


@virtually
async def test_a_session_joined_during_rendering_is_read_by_its_reader() -> None:
    scene = Scene()
    await scene.attached()
    scene.source.held["render"] = held = asyncio.Event()
    scene.commit()
    scene.commit(3, session=1)
    await scene.hint()
    late = scene.reader(session=1)
    await late.attach()
    held.set()
    await settle()
    assert await late.drain() == [1, 2, 3]
    for number in (4, 5, 6):
        scene.commit(session=1)
        await scene.hint()
        assert await late.drain() == [number]
    assert scene.source.asked["read_session"] == 1, "what it missed"


@virtually
async def test_what_follows_an_attach_costs_no_query_though_nothing_was_kept_before() -> None:
    scene = Scene()
    scene.commit(5)
    readers = [scene.reader(side) for side in Side]
    for reader in readers:
        await reader.attach_snapshot()
    for number in (6, 7):
        scene.commit()
        await scene.hint()
        assert [await reader.pull() for reader in readers] == [[number]] * 2
    assert scene.source.asked["read_session"] == 0


@virtually
async def test_events_that_cannot_be_rendered_stop_nobody_else() -> None:
    scene = Scene()
    reader = await scene.attached()
    scene.source.fails["render"] = 1000
    scene.commit(2)
    await scene.hint()
    await settle(sum(PAUSES[:RENDER_TRIES]))
    assert await reader.drain() == [1, 2]


@virtually
async def test_a_change_that_cannot_be_rendered_leaves_no_erased_text() -> None:
    scene = Scene()
    reader = await scene.attached()
    event = scene.commit()
    await scene.hint()
    scene.source.fails["render"] = RENDER_TRIES + 1
    scene.change(event)
    await scene.hint()
    await settle(sum(PAUSES[:RENDER_TRIES]))
    assert await reader.texts() == ["2", "2"]


@virtually
async def test_nothing_is_kept_for_readers_that_do_not_pull() -> None:
    scene = Scene()
    readers = [scene.reader(side) for side in Side for _ in range(50)]
    for reader in readers:
        await reader.attach()
    for _ in range(10):
        scene.commit(100)
        await scene.hint()
    gc.collect()
    kept = [thing for thing in gc.get_objects() if isinstance(thing, Item)]
    assert len(kept) == len(Side) * RING_EVENTS
    assert await readers[0].drain() == list(range(1, 1001))
