"""What one reader of the agents' list is told and when: its frames, their pace and size, its counts."""

from uuid import UUID

import orjson

from chat_service.events.feed import Reset
from chat_service.realtime.session_list import (
    COUNTS_SECONDS,
    FRAME_SECONDS,
    SILENT_ROWS,
    Entry,
    ListReader,
    Start,
)
from chat_service.schema import Status, View
from chat_service.sessions.reach import Counts, Reach
from chat_service.test.builders import Json
from chat_service.test.realtime.entries import ALL, BOB, FRAME_BYTES, HERE, MINE, entry, mark


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
