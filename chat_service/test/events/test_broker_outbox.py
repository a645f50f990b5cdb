"""What waits to be published: what is sent first, what is one, and what is given up."""

import asyncio

import pytest

from chat_service.events.broker_messages import Ephemeral, Hint, Message
from chat_service.events.broker_outbox import BATCH, FRESH_SECONDS, Outbox
from chat_service.schema import SessionId, Visibility, WorkspaceId, new_id

ONE, TWO, THREE = (WorkspaceId(new_id()) for _ in range(3))


class HandClock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def hint(workspace: WorkspaceId, pos: int) -> Hint:
    return Hint(workspace=workspace, pos=pos)


def ephemeral(text: str = "") -> Ephemeral:
    return Ephemeral(
        workspace=ONE,
        session=SessionId(new_id()),
        visibility=Visibility.PUBLIC,
        frame={"text": text},
    )


def filled(*messages: Message, most: int = 100) -> Outbox:
    outbox = Outbox(most)
    for message in messages:
        outbox.add(message)
    return outbox


def sent(outbox: Outbox) -> list[Message]:
    """Send all there is."""
    gone: list[Message] = []
    while len(outbox):
        with outbox.sending() as messages:
            gone += messages
    return gone


def test_hints_of_a_workspace_are_one_the_highest() -> None:
    outbox = filled(hint(ONE, 3), hint(TWO, 9), hint(ONE, 5), hint(ONE, 4))
    assert sent(outbox) == [hint(ONE, 5), hint(TWO, 9)]


def test_hints_go_before_frames() -> None:
    typing = ephemeral()
    assert sent(filled(typing, hint(ONE, 1))) == [hint(ONE, 1), typing]


def test_beyond_the_bound_the_oldest_frame_goes_first() -> None:
    old, new = ephemeral("old"), ephemeral("new")
    outbox = filled(old, hint(ONE, 1), new, hint(TWO, 1), most=3)
    assert sent(outbox) == [hint(ONE, 1), hint(TWO, 1), new]


def test_without_frames_the_oldest_hint_goes() -> None:
    outbox = filled(hint(ONE, 1), hint(TWO, 1), hint(THREE, 1), most=2)
    assert sent(outbox) == [hint(TWO, 1), hint(THREE, 1)]


def test_a_full_outbox_takes_the_next_hint_of_a_workspace_it_knows() -> None:
    outbox = filled(hint(ONE, 1), hint(TWO, 1), hint(ONE, 2), most=2)
    assert sent(outbox) == [hint(ONE, 2), hint(TWO, 1)]


def test_a_frame_that_waited_too_long_is_not_sent() -> None:
    clock = HandClock()
    outbox = Outbox(100, clock)
    outbox.add(ephemeral("stale"))
    outbox.add(hint(ONE, 1))
    clock.seconds = FRESH_SECONDS
    fresh = ephemeral("fresh")
    outbox.add(fresh)
    clock.seconds += 0.1
    assert sent(outbox) == [hint(ONE, 1), fresh]


def test_a_batch_is_bounded() -> None:
    hints = [hint(WorkspaceId(new_id()), 1) for _ in range(BATCH + 1)]
    outbox = filled(*hints, most=1_000)
    with outbox.sending() as first:
        assert first == hints[:BATCH]
    with outbox.sending() as second:
        assert second == hints[BATCH:]


def test_what_could_not_be_sent_is_kept_but_for_frames() -> None:
    outbox = filled(hint(ONE, 1), hint(TWO, 1), ephemeral())
    with pytest.raises(ConnectionError), outbox.sending():
        outbox.add(hint(ONE, 2))
        raise ConnectionError
    assert sent(outbox) == [hint(ONE, 2), hint(TWO, 1)]


async def test_is_filled_and_emptied_in_turn() -> None:
    outbox = Outbox(100)
    await outbox.emptied()
    waiting = asyncio.create_task(outbox.filled())
    await asyncio.sleep(0)
    assert not waiting.done()
    outbox.add(hint(ONE, 1))
    await waiting
    emptied = asyncio.create_task(outbox.emptied())
    with outbox.sending():
        await asyncio.sleep(0)
        assert not emptied.done()
    await emptied
