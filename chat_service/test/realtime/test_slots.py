"""What waits beside the log: of each kind and actor the newest, as long as it holds."""

from typing import Any
from uuid import UUID

import orjson

from chat_service.realtime.slots import Slots, Told, told
from chat_service.schema import SessionId

HERE, THERE = SessionId(UUID(int=1)), SessionId(UUID(int=2))


def state(number: int, session_id: SessionId = HERE, **slot: Any) -> Told:
    return told({"op": "state", "n": number}, session_id, **{"kind": "state", **slot})


def taken(slots: Slots, now: float = 0.0) -> list[int]:
    return [orjson.loads(frame.data)["n"] for frame in slots.take(now=now)]


def test_the_newest_of_a_slot_replaces_what_waits() -> None:
    slots = Slots()
    for frame in (state(1), state(2), state(3)):
        slots.put(frame)
    assert (taken(slots), taken(slots), len(slots)) == ([3], [], 0)


def test_kinds_actors_and_sessions_have_slots_of_their_own() -> None:
    slots = Slots()
    for frame in (state(1), state(2, THERE), state(3, kind="typing"), state(4, actor="bob")):
        slots.put(frame)
    assert taken(slots) == [1, 2, 3, 4]


def test_what_came_too_late_is_not_told() -> None:
    slots = Slots()
    slots.put(state(1, until=5.0))
    slots.put(state(2, kind="other", until=6.0))
    assert taken(slots, now=5.0) == [2]


def test_nothing_more_is_told_of_a_session_that_was_left() -> None:
    slots = Slots()
    for frame in (state(1), state(2, THERE), state(3, kind="typing")):
        slots.put(frame)
    slots.drop(HERE)
    assert taken(slots) == [2]
