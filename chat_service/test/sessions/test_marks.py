"""Read marks only rise, in whatever order and however often they come."""

from itertools import permutations
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from chat_service.schema import Actor, AuthorType, SessionId, WorkspaceId
from chat_service.sessions.marks import Mark, Point

ADA = Actor(AuthorType.CUSTOMER, UUID(int=3))
POINTS = st.builds(Point, st.integers(0, 9), st.integers(0, 9))


def mark(read: Point, delivered: Point) -> Mark:
    return Mark(WorkspaceId(UUID(int=1)), SessionId(UUID(int=2)), ADA, read, delivered)


@given(st.lists(st.builds(mark, POINTS, POINTS), min_size=1, max_size=4))
def test_marks_merge_to_the_highest_in_any_order(marks: list[Mark]) -> None:
    ends = set()
    for order in permutations([*marks, marks[0]]):
        merged = order[0]
        for each in order[1:]:
            merged = merged.merged(each)
        ends.add((merged.read, merged.delivered))
    assert len(ends) == 1
    read, delivered = ends.pop()
    assert read.seq == max(each.read.seq for each in marks)
    assert delivered.public_seq == max(each.delivered.public_seq for each in marks)


def test_the_numberings_rise_each_by_itself() -> None:
    noted, seen = Point(9, 2), Point(4, 4)
    assert noted.highest(seen) == seen.highest(noted) == Point(9, 4)
