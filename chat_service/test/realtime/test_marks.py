"""A flood of read marks costs one write a second and reader, and the last one is written."""

from uuid import UUID

from chat_service.realtime.marks import Pace
from chat_service.schema import Actor, AuthorType, SessionId, WorkspaceId
from chat_service.sessions.marks import Mark, Point

ADA = Actor(AuthorType.CUSTOMER, UUID(int=3))
BOB = Actor(AuthorType.AGENT, UUID(int=4))


def mark(number: int, actor: Actor = ADA, session: int = 2) -> Mark:
    here = Point(number, number)
    return Mark(WorkspaceId(UUID(int=1)), SessionId(UUID(int=session)), actor, here, here)


def written(pace: Pace, now: float) -> list[int]:
    return [each.read.seq for each in pace.due(now=now)]


def test_the_first_mark_is_written_at_once() -> None:
    pace = Pace()
    pace.offer(mark(1), now=5.0)
    assert pace.next_due() == 5.0
    assert written(pace, 5.0) == [1]


def test_what_comes_within_a_second_is_one_write_at_its_end() -> None:
    pace = Pace()
    pace.offer(mark(1), now=0.0)
    assert written(pace, 0.0) == [1]
    for number in (2, 4, 3):
        pace.offer(mark(number), now=0.1 * number)
        assert written(pace, 0.1 * number) == []
    assert pace.next_due() == 1.0
    assert written(pace, 1.0) == [4]


def test_a_hundred_marks_a_second_are_one_write_a_second() -> None:
    pace, writes = Pace(), []
    for number in range(1_000):
        now = number / 100
        pace.offer(mark(number), now=now)
        writes += written(pace, now)
    assert len(writes) == 10
    assert written(pace, 10.0) == [999]


def test_each_reader_and_session_has_a_second_of_its_own() -> None:
    pace = Pace()
    for each in (mark(1), mark(2, BOB), mark(3, session=9)):
        pace.offer(each, now=0.0)
    assert written(pace, 0.0) == [1, 2, 3]


def test_who_reads_no_more_is_forgotten() -> None:
    pace = Pace()
    pace.offer(mark(1), now=0.0)
    pace.due(now=0.0)
    assert (written(pace, 1.0), len(pace), pace.next_due()) == ([], 0, None)


def test_what_waits_can_be_had_before_its_time() -> None:
    pace = Pace()
    pace.offer(mark(1), now=0.0)
    pace.due(now=0.0)
    pace.offer(mark(2), now=0.5)
    assert [each.read.seq for each in pace.rest()] == [2]
