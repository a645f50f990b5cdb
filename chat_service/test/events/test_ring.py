"""The ring: what it keeps, and from where it can go on."""

from random import Random

import pytest

from chat_service.events.feed import Item, Side
from chat_service.events.ring import RING_BYTES, RING_EVENTS, START, Place, Ring
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


def place(given: list[Item], number: int) -> Place:
    """Where an event stands."""
    return (number, fence(given[number - 1].row.id)) if number else START


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


@pytest.mark.parametrize("number", [0, 35, 100, 101])
def test_it_cannot_go_on_from_what_it_lacks_or_what_nothing_follows(number: int) -> None:
    given = items(101)
    assert filled(given[:100]).after(place(given, number)) == ()


@pytest.mark.parametrize("number", [36, 37, 99])
def test_it_goes_on_from_an_event_it_holds_or_that_stood_before(number: int) -> None:
    given = items(100)
    assert filled(given).after(place(given, number)) == tuple(given[number:])


def test_it_goes_on_from_the_beginning_while_it_holds_that() -> None:
    assert [item.number for item in filled(items(3)).after(START)] == [1, 2, 3]


@pytest.mark.parametrize("number", [1, 36, 37])
def test_an_event_of_another_log_is_not_in_it(number: int) -> None:
    assert filled(items(100)).after((number, "00000000")) == ()


def test_it_goes_on_from_what_it_was_told_stands_before_its_first_event() -> None:
    given, ring = items(5), Ring()
    ring.append(given[3], place(given, 3))
    ring.append(given[4])
    assert ring.after(place(given, 3)) == tuple(given[3:])
    ring.replace(lambda row: given[(row.seq or 0) - 1])
    assert ring.after(place(given, 3)) == tuple(given[3:])


def test_it_does_not_go_on_from_an_event_that_stands_elsewhere() -> None:
    given, ring = items(5), Ring()
    ring.append(given[3], place(given, 2))
    assert [ring.after(place(given, number)) for number in range(6)] == [()] * 6


def test_events_are_replaced_all_together_or_not_kept() -> None:
    given, fresh = items(3), items(3, padding=1)
    by_number = {item.number: item for item in fresh}
    ring = filled(given)
    ring.replace(lambda row: by_number.get(row.seq or 0))
    assert ring.after(START) == tuple(fresh)
    del by_number[2]
    ring.replace(lambda row: by_number.get(row.seq or 0))
    assert numbers(ring) == []
