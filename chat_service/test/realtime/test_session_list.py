"""What one reader of the agents' list is told and when: pure, with times handed in."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.realtime.session_list import (
    Entry,
    Journal,
    Window,
    earlier,
)
from chat_service.schema import Status
from chat_service.sessions.reach import Reach
from chat_service.test.builders import Json
from chat_service.test.realtime.entries import (
    ALL,
    BOB,
    EVE,
    HERE,
    MINE,
    OTHER_TEAM,
    SALES,
    entry,
)


def told(window: Window) -> tuple[list[int], list[int]]:
    """The numbers of what is told, changed and removed."""
    changed, removed = window.tell()
    return sorted(one.id.int for one in changed), sorted(one.int for one in removed)


def test_a_window_tells_what_changed_once() -> None:
    window = Window(MINE, 3)
    window.put(entry(1))
    assert told(window) == ([1], [])
    window.put(entry(1))
    assert told(window) == ([], [])
    window.put(entry(1, version=2))
    assert told(window) == ([1], [])


OF_SALES = Reach(HERE, frozenset(), frozenset({SALES}), frozenset({BOB}))


@pytest.mark.parametrize(
    ("view", "gone"),
    [
        (MINE, {"holder": EVE}),
        (MINE, {"holder": None}),
        (MINE, {"status": Status.CLOSED}),
        (OF_SALES, {"team": OTHER_TEAM}),
        (OF_SALES, {"team": None}),
        (OF_SALES, {"holder": EVE}),
    ],
)
def test_a_session_that_leaves_the_view_is_removed(view: Reach, gone: Json) -> None:
    window = Window(view, 3)
    window.put(entry(1, team=SALES))
    assert told(window) == ([1], [])
    window.put(entry(1, version=2, **{"team": SALES, **gone}))
    assert told(window) == ([], [1])


def test_what_was_never_told_is_never_removed() -> None:
    window = Window(MINE, 3)
    window.put(entry(1, holder=EVE))
    window.put(entry(2))
    window.put(entry(2, version=2, holder=EVE))
    assert told(window) == ([], [])


def test_an_older_version_that_comes_late_changes_nothing() -> None:
    window = Window(MINE, 3)
    window.put(entry(1, version=5))
    window.put(entry(1, version=4, holder=EVE))
    window.put(entry(1, version=3))
    assert [one.version for one in window.tell()[0]] == [5]


def test_what_falls_out_of_the_window_is_removed() -> None:
    window = Window(MINE, 2)
    window.fill([entry(1, at=1), entry(2, at=2)])
    assert told(window) == ([1, 2], [])
    window.put(entry(3, at=3))
    window.cut()
    assert told(window) == ([3], [1])
    assert not window.lacks


def test_what_would_stand_below_the_window_is_not_told() -> None:
    window = Window(MINE, 2)
    window.fill([entry(2, at=2), entry(3, at=3)])
    assert told(window) == ([2, 3], [])
    window.put(entry(1, at=1, version=7))
    window.cut()
    assert told(window) == ([], [])


def test_a_full_window_that_shrinks_lacks_the_next_until_it_is_filled() -> None:
    window = Window(MINE, 2)
    window.fill([entry(2, at=2), entry(3, at=3)])
    assert told(window) == ([2, 3], [])
    window.put(entry(3, at=3, version=2, status=Status.CLOSED))
    assert window.lacks
    window.fill([entry(2, at=2), entry(1, at=1)])
    assert told(window) == ([1], [3])
    assert not window.lacks


def test_a_window_that_held_the_whole_view_lacks_nothing() -> None:
    window = Window(MINE, 3)
    window.fill([entry(1), entry(2)])
    window.put(entry(1, version=2, holder=EVE))
    assert not window.lacks


def test_a_session_whose_time_went_back_makes_room_for_others() -> None:
    """Clocks of two processes differ: what stood below the window may stand above it now."""
    window = Window(MINE, 2)
    window.fill([entry(2, at=2), entry(3, at=3)])
    window.put(entry(3, at=0, version=2))
    assert window.lacks
    window.fill([entry(2, at=2), entry(1, at=1)])
    assert told(window) == ([1, 2], [])


Step = tuple[int, int, UUID | None, UUID | None, bool]


STEPS = st.lists(
    st.tuples(
        st.integers(1, 8),
        st.integers(0, 99),
        st.sampled_from([BOB, EVE, None]),
        st.sampled_from([SALES, OTHER_TEAM, None]),
        st.booleans(),
    ),
    max_size=40,
)
REACHES = [
    MINE,
    ALL,
    Reach(HERE, frozenset({BOB, None})),
    Reach(HERE, frozenset(), frozenset({SALES})),
    Reach(HERE, frozenset({BOB}), frozenset({SALES})),
    OF_SALES,
]


@given(STEPS, st.integers(1, 5), st.sampled_from(REACHES))
def test_a_window_is_always_the_first_of_its_view(
    steps: list[Step], size: int, reach: Reach
) -> None:
    """Whatever happens, a console that applies what it is told has what a new list would show."""
    window = Window(reach, size)
    shown: dict[UUID, Entry] = {}
    all_of_them: dict[UUID, Entry] = {}
    for version, (number, at, holder, team, closed) in enumerate(steps, 1):
        status = Status.CLOSED if closed else Status.OPEN
        one = entry(number, at=at, version=version, holder=holder, team=team, status=status)
        all_of_them[one.id] = one
        window.put(one)
        window.cut()
        if window.lacks:
            window.fill(first_of(reach, size, all_of_them.values()))
        changed, removed = window.tell()
        assert all(gone in shown for gone in removed)
        shown = {i: e for i, e in shown.items() if i not in removed} | {e.id: e for e in changed}
        assert shown == {e.id: e for e in first_of(reach, size, all_of_them.values())}


def first_of(reach: Reach, size: int, entries: Iterable[Entry]) -> list[Entry]:
    """What a list would show."""
    there = [one for one in entries if reach.has(one.assignee_id, one.team_id, one.status)]
    return sorted(there, key=lambda one: one.place, reverse=True)[:size]


def test_a_journal_has_each_session_at_its_last_change() -> None:
    journal = Journal()
    for pos, number in enumerate([1, 2, 1, 3], 1):
        journal.put(entry(number, version=pos), pos)
    assert [(one.id.int, one.version) for one in journal.since(0)] == [(3, 4), (1, 3), (2, 2)]
    assert [one.id.int for one in journal.since(3)] == [3]
    journal.forget(3)
    assert [one.id.int for one in journal.since(0)] == [3]


def row(type_: str, **changes: Any) -> Any:
    return SimpleNamespace(type=type_, data={"changes": changes} if changes else {})


def test_how_a_session_stood_is_told_by_its_rows() -> None:
    rows = [
        row("message.created"),
        row("session.assigned", assignee=[None, str(BOB)], status=["queued", "open"]),
        row("message.created"),
        row("session.updated", team_id=[None, str(SALES)]),
        row("session.assigned", assignee=[str(BOB), str(EVE)]),
        row("session.updated", team_id=[str(SALES), None]),
        row("session.closed", status=["open", "closed"]),
    ]
    assert list(earlier(rows, EVE, None, Status.CLOSED)) == [
        (EVE, None, Status.OPEN),
        (EVE, SALES, Status.OPEN),
        (BOB, SALES, Status.OPEN),
        (BOB, None, Status.OPEN),
        (BOB, None, Status.OPEN),
        (None, None, Status.QUEUED),
        (None, None, Status.QUEUED),
    ]


def test_before_it_began_a_session_stood_nowhere() -> None:
    rows = [row("session.created"), row("session.closed", status=["open", "closed"])]
    assert list(earlier(rows, BOB, SALES, Status.CLOSED)) == [(BOB, SALES, Status.OPEN)]
