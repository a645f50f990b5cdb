"""What one reader of the agents' list is told and when: pure, with times handed in."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.events.feed import Reset
from chat_service.realtime.session_list import (
    COUNTS_SECONDS,
    FRAME_SECONDS,
    SILENT_ROWS,
    Entry,
    Journal,
    ListReader,
    Start,
    Window,
    earlier,
)
from chat_service.schema import Cursor, CursorKind, Status, View, WorkspaceId
from chat_service.sessions.reach import Counts, Reach
from chat_service.test.builders import Json

HERE = WorkspaceId(UUID(int=1))
BOB, EVE = UUID(int=11), UUID(int=12)
MINE = Reach(HERE, frozenset({BOB}))
ALL = Reach(HERE, None)
DAWN = datetime(2026, 11, 22, 6, tzinfo=UTC)
FRAME_BYTES = 65_536


def entry(
    number: int,
    *,
    at: int = 0,
    version: int = 1,
    holder: UUID | None = BOB,
    status: Status = Status.OPEN,
    text: str = "",
) -> Entry:
    """A session that moved `at` that second."""
    return Entry(
        id=UUID(int=number),
        version=version,
        assignee_id=holder,
        status=status,
        moved_at=DAWN + timedelta(seconds=at),
        view=orjson.dumps({"id": number, "version": version, "text": text}),
    )


def mark(pos: int) -> Cursor:
    return Cursor(CursorKind.WORKSPACE, pos, f"{pos:08x}" if pos else None)


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


@pytest.mark.parametrize("gone", [{"holder": EVE}, {"holder": None}, {"status": Status.CLOSED}])
def test_a_session_that_leaves_the_view_is_removed(gone: Json) -> None:
    window = Window(MINE, 3)
    window.put(entry(1))
    assert told(window) == ([1], [])
    window.put(entry(1, version=2, **gone))
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


Step = tuple[int, int, UUID | None, bool]
STEPS = st.lists(
    st.tuples(
        st.integers(1, 8), st.integers(0, 99), st.sampled_from([BOB, EVE, None]), st.booleans()
    ),
    max_size=40,
)


@given(STEPS, st.integers(1, 5), st.sampled_from([MINE, ALL, Reach(HERE, frozenset({BOB, None}))]))
def test_a_window_is_always_the_first_of_its_view(
    steps: list[Step], size: int, reach: Reach
) -> None:
    """Whatever happens, a console that applies what it is told has what a new list would show."""
    window = Window(reach, size)
    shown: dict[UUID, Entry] = {}
    all_of_them: dict[UUID, Entry] = {}
    for version, (number, at, holder, closed) in enumerate(steps, 1):
        status = Status.CLOSED if closed else Status.OPEN
        one = entry(number, at=at, version=version, holder=holder, status=status)
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
    there = [one for one in entries if reach.has(one.assignee_id, one.status)]
    return sorted(there, key=lambda one: one.place, reverse=True)[:size]


def test_a_journal_has_each_session_at_its_last_change() -> None:
    journal = Journal()
    for pos, number in enumerate([1, 2, 1, 3], 1):
        journal.put(entry(number, version=pos), pos)
    assert [(one.id.int, one.version) for one in journal.since(0)] == [(3, 4), (1, 3), (2, 2)]
    assert [one.id.int for one in journal.since(3)] == [3]
    journal.forget(3)
    assert [one.id.int for one in journal.since(0)] == [3]


def reader_of(*first: Entry, size: int = 50, after: int = 0, pos: int = 1) -> ListReader:
    """A reader that begins now, at the time 0, and has all of these."""
    reader = ListReader(ALL, {}, size=size, wake=lambda: None)
    start = Start(first, [one.id for one in first], (), Counts({}, 0))
    assert reader.begin(start, mark(pos), after=after or pos, now=0.0) == []
    return reader


def frames(reader: ListReader, now: float) -> list[Json]:
    return [orjson.loads(frame) for frame in reader.frames(now)]


def test_the_first_change_is_told_at_once_and_then_at_most_one_frame_a_second() -> None:
    reader = reader_of()
    told_at: list[float] = []
    for tick in range(400):
        now = tick / 100
        reader.take([entry(1, version=tick + 1)], mark(tick + 2))
        if frames(reader, now):
            told_at.append(now)
    assert told_at == [0.0, 1.0, 2.0, 3.0]
    assert FRAME_SECONDS == 1.0


def test_after_a_calm_second_a_change_is_told_at_once_again() -> None:
    reader = reader_of()
    reader.take([entry(1)], mark(2))
    assert len(frames(reader, 0.0)) == 1
    reader.take([entry(1, version=2)], mark(3))
    assert (reader.is_due(0.5), frames(reader, 0.5)) == (False, [])
    assert (reader.is_due(7.2), len(frames(reader, 7.2))) == (True, 1)


def test_a_frame_tells_the_last_state_of_each_session_and_how_far_the_log_has_come() -> None:
    reader = reader_of(entry(2))
    reader.take([entry(1, version=1)], mark(2))
    reader.take([entry(1, version=2), entry(2, version=2, status=Status.CLOSED)], mark(9))
    (frame,) = frames(reader, 0.0)
    assert frame == {
        "op": "sessions",
        "changed": [{"id": 1, "version": 2, "text": ""}],
        "removed": [str(UUID(int=2))],
        "counts": None,
        "cursor": str(mark(9)),
    }


def test_what_concerns_others_moves_the_cursor_of_the_next_frame() -> None:
    reader = reader_of()
    reader.take([], mark(500))
    assert frames(reader, 0.0) == []
    reader.take([entry(1)], mark(501))
    assert frames(reader, 0.0)[0]["cursor"] == str(mark(501))


def test_many_rows_that_concern_others_move_the_cursor_by_themselves() -> None:
    reader = reader_of()
    reader.take([], mark(SILENT_ROWS))
    assert frames(reader, 0.0) == []
    reader.take([], mark(SILENT_ROWS + 1))
    (frame,) = frames(reader, 0.0)
    assert (frame["changed"], frame["removed"]) == ([], [])
    assert frame["cursor"] == str(mark(SILENT_ROWS + 1))


def test_a_cursor_never_goes_back() -> None:
    reader = reader_of(pos=10)
    reader.take([entry(1)], mark(7))
    assert frames(reader, 0.0)[0]["cursor"] == str(mark(10))


def test_before_it_has_begun_nothing_is_told() -> None:
    reader = ListReader(ALL, {}, size=5, wake=lambda: None)
    assert not reader.is_due(1e9)
    reader.take([entry(1)], mark(3))
    assert frames(reader, 1e9) == []


def test_a_reader_that_lost_its_place_tells_nothing_more() -> None:
    woken: list[int] = []
    reader = ListReader(ALL, {}, size=5, wake=lambda: woken.append(1))
    reader.begin(Start((), (), (), Counts({}, 0)), mark(1), after=1, now=0.0)
    reader.take([entry(1)], mark(3))
    reader.lose(Reset.REWOUND)
    assert (reader.lost, woken, frames(reader, 1e9)) == (Reset.REWOUND, [1], [])


def counting(**counts: int) -> Counts:
    return Counts({BOB: counts.get("mine", 0), None: counts.get("unassigned", 0)}, 0)


def test_counts_come_with_the_begin_and_then_at_most_once_in_two_seconds() -> None:
    views: dict[View, Reach] = {"mine": MINE, "unassigned": Reach(HERE, frozenset({None}))}
    reader = ListReader(MINE, views, size=5, wake=lambda: None)
    begun = reader.begin(Start((), (), (), counting(mine=1)), mark(1), after=1, now=0.0)
    assert orjson.loads(begun[0])["counts"] == {"mine": 1, "unassigned": 0}
    told_at = []
    for tick in range(1, 81):
        now = tick / 10
        assert reader.count(counting(mine=tick + 1))
        if reader.are_counts_due(now):
            told_at += [now] if frames(reader, now)[0]["counts"]["mine"] == tick + 1 else []
    assert told_at == [2.0, 4.0, 6.0, 8.0]
    assert COUNTS_SECONDS == 2.0


def test_counts_that_are_as_before_are_no_news() -> None:
    reader = ListReader(MINE, {"mine": MINE}, size=5, wake=lambda: None)
    reader.begin(Start((), (), (), counting(mine=1)), mark(1), after=1, now=0.0)
    assert not reader.count(counting(mine=1, unassigned=7))
    assert frames(reader, 9.0) == []


def test_counts_stop_at_1_000() -> None:
    both = Reach(HERE, frozenset({BOB, None}))
    assert counting(mine=1, unassigned=2).of(both) == 3
    assert counting(mine=600, unassigned=1_000).of(both) == 1_000


def test_frames_keep_to_their_size_and_the_last_alone_has_a_cursor() -> None:
    reader = reader_of(size=200)
    reader.take([entry(number, text="x" * 9_000) for number in range(1, 21)], mark(5))
    told = reader.frames(0.0)
    assert all(len(frame) < FRAME_BYTES for frame in told)
    shown = [orjson.loads(frame) for frame in told]
    assert sorted(one["id"] for frame in shown for one in frame["changed"]) == list(range(1, 21))
    assert [frame["cursor"] for frame in shown] == [None] * (len(shown) - 1) + [str(mark(5))]
    assert len(shown) > 1


def test_a_begin_after_which_much_is_gone_keeps_to_the_size_of_frames() -> None:
    reader = ListReader(ALL, {}, size=5, wake=lambda: None)
    gone = [UUID(int=number) for number in range(1, 2_001)]
    told = reader.begin(Start((), (), gone, Counts({}, 0)), mark(9), after=1, now=0.0)
    assert all(len(frame) < FRAME_BYTES for frame in told)
    assert [one for frame in told for one in orjson.loads(frame)["removed"]] == list(map(str, gone))


def row(type_: str, **changes: Any) -> Any:
    return SimpleNamespace(type=type_, data={"changes": changes} if changes else {})


def test_how_a_session_stood_is_told_by_its_rows() -> None:
    rows = [
        row("message.created"),
        row("session.assigned", assignee=[None, str(BOB)], status=["queued", "open"]),
        row("message.created"),
        row("session.assigned", assignee=[str(BOB), str(EVE)]),
        row("session.closed", status=["open", "closed"]),
    ]
    assert list(earlier(rows, EVE, Status.CLOSED)) == [
        (EVE, Status.OPEN),
        (BOB, Status.OPEN),
        (BOB, Status.OPEN),
        (None, Status.QUEUED),
        (None, Status.QUEUED),
    ]


def test_before_it_began_a_session_stood_nowhere() -> None:
    rows = [row("session.created"), row("session.closed", status=["open", "closed"])]
    assert list(earlier(rows, BOB, Status.CLOSED)) == [(BOB, Status.OPEN)]
