"""Who types is told when it begins and ends, seldom in between, and to nobody who may not know."""

from datetime import UTC, datetime
from uuid import UUID

from chat_service.realtime.typing import AT_MOST, Sign, Typists, frame_of
from chat_service.schema import Actor, AuthorType, SessionId, Visibility, WorkspaceId

PLACE = (WorkspaceId(UUID(int=1)), SessionId(UUID(int=2)))
ELSEWHERE = (WorkspaceId(UUID(int=1)), SessionId(UUID(int=9)))
BOB = Actor(AuthorType.AGENT, UUID(int=4))
PUBLIC, NOTE = Visibility.PUBLIC, Visibility.INTERNAL


def kinds(signs: list[Sign]) -> list[tuple[str, str]]:
    return [(sign.kind.removeprefix("typing."), sign.visibility.value) for sign in signs]


def test_a_beginning_and_an_end_are_told_once() -> None:
    typists = Typists(6.0)
    assert kinds(typists.start(PLACE, BOB, PUBLIC, now=0.0)) == [("started", "public")]
    assert kinds(typists.stop(PLACE, BOB)) == [("stopped", "public")]
    assert typists.stop(PLACE, BOB) == []


def test_a_flood_is_told_three_times_in_the_life_of_a_sign() -> None:
    typists = Typists(6.0)
    told = [tick for tick in range(600) if typists.start(PLACE, BOB, PUBLIC, now=tick / 100)]
    assert told == [0, 200, 400]


def test_what_is_not_renewed_ends_by_itself() -> None:
    typists = Typists(6.0)
    typists.start(PLACE, BOB, PUBLIC, now=0.0)
    typists.start(PLACE, BOB, PUBLIC, now=3.0)
    assert typists.next_due() == 9.0
    assert typists.expire(now=8.9) == []
    assert kinds(typists.expire(now=9.0)) == [("stopped", "public")]
    assert (typists.next_due(), typists.expire(now=99.0)) == (None, [])


def test_signs_end_in_the_order_in_which_they_were_renewed() -> None:
    typists, eve = Typists(6.0), Actor(AuthorType.AGENT, UUID(int=5))
    typists.start(PLACE, BOB, PUBLIC, now=0.0)
    typists.start(PLACE, eve, PUBLIC, now=1.0)
    typists.start(PLACE, BOB, PUBLIC, now=2.0)
    assert [sign.actor for sign in typists.expire(now=7.0)] == [eve]
    assert [sign.actor for sign in typists.expire(now=8.0)] == [BOB]


def test_who_turns_to_a_note_has_stopped_for_customers() -> None:
    typists = Typists(6.0)
    typists.start(PLACE, BOB, PUBLIC, now=0.0)
    turned = typists.start(PLACE, BOB, NOTE, now=0.1)
    assert kinds(turned) == [("stopped", "public"), ("started", "internal")]
    back = typists.start(PLACE, BOB, PUBLIC, now=0.2)
    assert kinds(back) == [("started", "public")]
    assert kinds(typists.start(PLACE, BOB, NOTE, now=0.3))[0] == ("stopped", "public")
    assert kinds(typists.stop(PLACE, BOB)) == [("stopped", "internal")]


def test_who_comes_later_is_told_who_types() -> None:
    typists = Typists(6.0)
    typists.start(PLACE, BOB, NOTE, now=0.0)
    assert [(sign.actor, sign.visibility) for sign in typists.at(PLACE, now=5.9)] == [(BOB, NOTE)]
    assert typists.at(PLACE, now=6.0) == typists.at(ELSEWHERE, now=0.0) == []


def test_beyond_the_bound_nobody_is_seen_to_begin() -> None:
    typists = Typists(6.0)
    for number in range(AT_MOST):
        typists.start(PLACE, Actor(AuthorType.BOT, UUID(int=number)), PUBLIC, now=0.0)
    late = Actor(AuthorType.BOT, UUID(int=AT_MOST))
    assert typists.start(PLACE, late, PUBLIC, now=1.0) == []
    assert typists.start(PLACE, Actor(AuthorType.BOT, UUID(int=0)), PUBLIC, now=3.0)


def test_a_frame_is_an_envelope_without_number_and_cursor() -> None:
    sign = Sign(PLACE, BOB, "typing.started", PUBLIC)
    frame = frame_of(sign, at=datetime(2026, 11, 22, 7, 38, tzinfo=UTC))
    assert (frame["op"], frame["type"]) == ("ephemeral", "typing.started")
    assert frame["actor"] == {"type": "agent", "id": str(BOB.id)}
    assert frame["timestamp"] == "2026-11-22T07:38:00.000Z"
    assert not {"seq", "public_seq", "cursor", "pos"} & set(frame)
