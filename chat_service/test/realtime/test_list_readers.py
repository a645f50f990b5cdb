"""Whom a change of a session concerns, what was heard of it, and when to count. Pure."""

from collections.abc import Collection
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from chat_service.realtime.list_readers import Counting, Heard, Readers, marks_of
from chat_service.realtime.session_list import ListReader, Start
from chat_service.schema import Cursor, CursorKind, View
from chat_service.sessions.reach import Counts, Reach
from chat_service.test.realtime.entries import BOB, EVE, HERE, OTHER_TEAM, SALES, entry

ONE, OTHER = UUID(int=21), UUID(int=22)
MARK = Cursor(CursorKind.WORKSPACE, 1, "00000001")


def reader_of(
    *holders: UUID | None, everybody: bool = False, teams: Collection[UUID] = ()
) -> ListReader:
    reach = Reach(HERE, None if everybody else frozenset(holders), frozenset(teams))
    counted: dict[View, Reach] = {"all": reach}
    return ListReader(reach, counted, size=5, wake=lambda: None)


@dataclass
class Crowd:
    """Readers of every kind."""

    all_of_them: ListReader = field(default_factory=lambda: reader_of(everybody=True))
    bobs: ListReader = field(default_factory=lambda: reader_of(BOB))
    waiting: ListReader = field(default_factory=lambda: reader_of(None))
    both: ListReader = field(default_factory=lambda: reader_of(BOB, None))
    eves: ListReader = field(default_factory=lambda: reader_of(EVE))
    sales: ListReader = field(default_factory=lambda: reader_of(EVE, teams=[SALES]))

    def within(self) -> Readers:
        readers = Readers()
        for reader in vars(self).values():
            readers.add(reader)
        return readers


@pytest.mark.parametrize(
    ("holder", "team", "names"),
    [
        (BOB, None, {"all_of_them", "bobs", "both"}),
        (None, None, {"all_of_them", "waiting", "both"}),
        (UUID(int=99), None, {"all_of_them"}),
        (UUID(int=99), SALES, {"all_of_them", "sales"}),
        (EVE, SALES, {"all_of_them", "eves", "sales"}),
        (BOB, OTHER_TEAM, {"all_of_them", "bobs", "both"}),
    ],
)
def test_a_change_concerns_who_may_have_the_session(
    holder: UUID | None, team: UUID | None, names: set[str]
) -> None:
    crowd = Crowd()
    concerned = set(crowd.within().concerned(marks_of(entry(1, holder=holder, team=team))))
    assert {name for name, reader in vars(crowd).items() if reader in concerned} == names


def test_who_has_left_is_concerned_no_more() -> None:
    crowd = Crowd()
    readers = crowd.within()
    for reader in vars(crowd).values():
        readers.remove(reader)
    assert not readers
    marks = [("holder", BOB), ("holder", None), ("team", SALES)]
    assert [*readers.concerned(marks), *readers] == []


def row(pos: int, session_id: UUID | None, **changes: Any) -> Any:
    return SimpleNamespace(pos=pos, session_id=session_id, data={"changes": changes})


def test_of_many_rows_of_a_session_the_last_counts_and_each_holder_and_team_it_left() -> None:
    heard = Heard()
    heard.note(row(4, ONE, assignee=[None, str(BOB)]))
    heard.note(row(5, OTHER, team_id=[str(SALES), None]))
    heard.note(row(6, ONE, assignee=[str(BOB), str(EVE)]))
    heard.note(row(7, None))
    assert (heard.ids(), heard.pos(ONE), heard.pos(OTHER)) == ((ONE, OTHER), 6, 5)
    assert heard.left(ONE) == {("holder", None), ("holder", BOB)}
    assert heard.left(OTHER) == {("team", SALES)}


def test_what_could_not_be_read_is_heard_together_with_what_came_after() -> None:
    before, after = Heard(), Heard()
    before.note(row(4, ONE, assignee=[None, str(BOB)]))
    after.note(row(8, ONE, assignee=[str(BOB), str(EVE)]))
    after.note(row(9, OTHER))
    before.add(after)
    assert (before.pos(ONE), before.pos(OTHER)) == (8, 9)
    assert before.left(ONE) == {("holder", None), ("holder", BOB)}


def test_counts_at_most_once_in_two_seconds_and_only_what_is_old() -> None:
    counting = Counting()
    assert not counting.begin(0.0)
    began = []
    for tick in range(50):
        counting.old = True
        if counting.begin(tick / 10):
            began.append(tick / 10)
    assert began == [0.0, 2.0, 4.0]


def test_who_may_not_be_told_counts_yet_is_told_later() -> None:
    counting, reader = Counting(), reader_of(BOB)
    reader.begin(Start((), (), (), Counts({}, 0)), MARK, after=1, now=0.0)
    counting.news[reader] = None
    assert (counting.due(1.9), counting.waited_for) == (set(), True)
    assert (counting.due(2.0), counting.waited_for) == ({reader}, False)
