"""Who is connected: as long as any connection lives, and a little longer."""

from uuid import UUID

import pytest

from chat_service.realtime.presence import BELIEVED_SECONDS, Attendance, Elsewhere
from chat_service.schema import Actor, AuthorType, WorkspaceId

HERE = WorkspaceId(UUID(int=1))
ADA = (HERE, Actor(AuthorType.CUSTOMER, UUID(int=3)))
BOB = (HERE, Actor(AuthorType.AGENT, UUID(int=4)))


def test_the_first_connection_brings_somebody_and_the_last_takes_him_away() -> None:
    attendance = Attendance(0.0)
    assert [attendance.enter(ADA), attendance.enter(ADA)] == [True, False]
    attendance.leave(ADA, now=1.0)
    assert (ADA in attendance, attendance.next_due()) == (True, None)
    attendance.leave(ADA, now=2.0)
    assert attendance.expire(now=2.0) == [ADA]
    assert ADA not in attendance


@pytest.mark.conformance(50)
def test_presence_survives_reload_without_flicker() -> None:
    attendance = Attendance(15.0)
    attendance.enter(ADA)
    attendance.leave(ADA, now=0.0)
    assert (ADA in attendance, attendance.next_due()) == (True, 15.0)
    assert attendance.enter(ADA) is False
    assert attendance.expire(now=99.0) == []
    attendance.leave(ADA, now=100.0)
    assert attendance.expire(now=114.9) == []
    assert attendance.expire(now=115.0) == [ADA]


def test_the_grace_is_counted_from_the_last_connection() -> None:
    attendance = Attendance(15.0)
    for who in (ADA, BOB):
        attendance.enter(who)
    attendance.leave(ADA, now=0.0)
    attendance.enter(ADA)
    attendance.leave(BOB, now=1.0)
    attendance.leave(ADA, now=2.0)
    assert attendance.expire(now=16.0) == [BOB]
    assert attendance.next_due() == 17.0


def test_everybody_of_a_kind_is_named_also_who_just_left() -> None:
    attendance = Attendance(15.0)
    for who in (ADA, BOB):
        attendance.enter(who)
    attendance.leave(BOB, now=0.0)
    assert attendance.all_of(AuthorType.AGENT) == [BOB]
    assert attendance.all_of(AuthorType.CUSTOMER) == [ADA]


def test_what_another_process_said_is_believed_for_a_while() -> None:
    elsewhere = Elsewhere()
    assert [elsewhere.hear(ADA, now=0.0), elsewhere.hear(ADA, now=20.0)] == [True, False]
    assert elsewhere.expire(now=19.0 + BELIEVED_SECONDS) == []
    assert elsewhere.expire(now=20.0 + BELIEVED_SECONDS) == [ADA]
    assert ADA not in elsewhere


def test_what_another_process_takes_back_is_news_once() -> None:
    elsewhere = Elsewhere()
    elsewhere.hear(ADA, now=0.0)
    assert [elsewhere.gone(ADA), elsewhere.gone(ADA)] == [True, False]


def test_only_the_wanted_are_kept() -> None:
    elsewhere = Elsewhere()
    elsewhere.hear(ADA, now=0.0)
    elsewhere.keep({BOB})
    assert ADA not in elsewhere
