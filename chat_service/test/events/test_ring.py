"""The ring: what it keeps, and from where it can go on."""

from random import Random

import pytest

from chat_service.events.feed import Item, Side
from chat_service.events.ring import RING_BYTES, RING_EVENTS, Ring
from chat_service.schema import fence
from chat_service.test.events.simulated.world import World


def items(count: int, *, padding: int = 0) -> list[Item]:
    """The first events of a session."""
    world = World(Random(7))
    world.padding = padding
    for _ in range(count):
        world.write(world.sessions[0])
    rows = world.view(world.sessions[0], Side.STAFF)
    return [world.render(row, Side.STAFF) for row in rows]


def filled(kept: list[Item]) -> Ring:
    """A ring that was given those."""
    ring = Ring()
    for item in kept:
        ring.append(item)
    return ring


def numbers(ring: Ring) -> list[int | None]:
    """What it holds."""
    return [row.seq for row in ring.rows()]


def test_it_keeps_the_last_64_events() -> None:
    assert numbers(filled(items(100))) == list(range(37, 101))
    assert RING_EVENTS == 64


def test_it_keeps_so_many_bytes_but_at_least_one_event() -> None:
    assert len(numbers(filled(items(10, padding=RING_BYTES // 4)))) == 3
    assert numbers(filled(items(10, padding=RING_BYTES * 2))) == [10]


def test_it_has_no_hole() -> None:
    given = items(5)
    assert numbers(filled([given[0], given[1], given[3], given[4]])) == [4, 5]


@pytest.mark.parametrize("number", [0, 36, 100, 101])
def test_it_cannot_go_on_from_what_it_lacks_or_what_nothing_follows(number: int) -> None:
    given = items(101)
    end = fence(given[number - 1].row.id) if number else None
    assert filled(given[:100]).start_at(number, end) == ()


def test_it_goes_on_from_an_event_it_holds_and_begins_with_that() -> None:
    given = items(100)
    found = filled(given).start_at(37, given[36].fence)
    assert found == tuple(given[36:])


def test_it_goes_on_from_the_beginning_while_it_holds_that() -> None:
    assert [item.number for item in filled(items(3)).start_at(0, None)] == [1, 2, 3]


def test_an_event_of_another_log_is_not_in_it() -> None:
    assert filled(items(3)).start_at(1, "00000000") == ()


def test_events_are_replaced_all_together_or_not_kept() -> None:
    given, fresh = items(3), items(3, padding=1)
    by_number = {item.number: item for item in fresh}
    ring = filled(given)
    ring.replace(lambda row: by_number.get(row.seq or 0))
    assert ring.start_at(0, None) == tuple(fresh)
    del by_number[2]
    ring.replace(lambda row: by_number.get(row.seq or 0))
    assert numbers(ring) == []
