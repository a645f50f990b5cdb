"""What each side is shown of a session beside its log, and what concerns a session."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from chat_service.agents.presence import Present
from chat_service.realtime.standing import (
    Roster,
    concerned,
    for_colleagues,
    for_customers,
    is_concerned,
)
from chat_service.schema import Actor, AgentId, AuthorType, Availability, SessionId, WorkspaceId

PLACE = (WorkspaceId(UUID(int=1)), SessionId(UUID(int=2)))
ADA, BOB, EVE = UUID(int=3), AgentId(UUID(int=4)), AgentId(UUID(int=5))
THERE = Present(Availability.ONLINE, True)
HIDDEN = Present(Availability.OFFLINE, True)
PUBLIC_NUMBERS, STAFF_NUMBERS = range(1, 50), range(7_000, 8_000)


def row(kind: AuthorType, actor: UUID, read: int, assignee: UUID | None = None) -> Any:
    return SimpleNamespace(
        type=kind,
        id=actor,
        read_seq=7_000 + read,
        read_public_seq=read,
        delivered_seq=7_000 + read,
        delivered_public_seq=read,
        marks_version=read,
        unread_count=3,
        assignee_id=assignee,
    )


def rows(assignee: UUID | None = None) -> list[Any]:
    agents = [row(AuthorType.AGENT, BOB, 8, assignee), row(AuthorType.AGENT, EVE, 9, assignee)]
    bot = row(AuthorType.BOT, UUID(int=6), 30, assignee)
    return [*agents, bot, row(AuthorType.CUSTOMER, ADA, 4, assignee)]


def numbers(value: Any) -> list[int]:
    if isinstance(value, dict):
        return [number for each in value.values() for number in numbers(each)]
    if isinstance(value, list):
        return [number for each in value for number in numbers(each)]
    return [value] if isinstance(value, int) and not isinstance(value, bool) else []


@pytest.mark.asvs("8.2.3", "15.3.1")
@pytest.mark.api_top10("API3")
def test_a_customer_is_shown_two_marks_and_no_id() -> None:
    shown = for_customers(rows(), {})
    assert shown["read_states"] == {
        "me": {"read_seq": 4, "delivered_seq": 4, "unread_count": 3},
        "staff": {"read_seq": 9, "delivered_seq": 9},
    }
    assert set(shown["presence"]) == {"agent_online"}
    assert set(numbers(shown)) <= set(PUBLIC_NUMBERS)


def test_staff_are_shown_every_participant_in_their_own_numbering() -> None:
    shown = for_colleagues(rows(), {BOB: THERE}, customer_online=True)
    assert [state["participant"]["type"] for state in shown["read_states"]] == [
        "agent",
        "agent",
        "bot",
        "customer",
    ]
    marks = [state["read_seq"] for state in shown["read_states"]]
    assert set(marks) <= set(STAFF_NUMBERS)
    assert shown["presence"]["customer_online"] is True
    assert [(each["id"], each["availability"]) for each in shown["presence"]["agents"]] == [
        (str(BOB), "online"),
        (str(EVE), "offline"),
    ]


ONLINE: dict[str, tuple[UUID | None, Roster, bool]] = {
    "who holds it is there": (BOB, {BOB: THERE}, True),
    "another one is there": (BOB, {EVE: THERE}, False),
    "who holds it hides": (BOB, {BOB: HIDDEN, EVE: THERE}, False),
    "nobody holds it, somebody is there": (None, {EVE: THERE}, True),
    "nobody holds it, all hide": (None, {EVE: HIDDEN}, False),
    "nobody is there": (None, {}, False),
}


@pytest.mark.parametrize(("assignee", "roster", "online"), ONLINE.values(), ids=list(ONLINE))
def test_an_agent_is_online_for_a_customer_whom_he_may_expect(
    assignee: UUID | None, roster: Roster, online: bool
) -> None:
    assert for_customers(rows(assignee), roster)["presence"] == {"agent_online": online}


STRANGER = AgentId(UUID(int=99))
CONCERNED: dict[str, tuple[UUID | None, Roster, Roster, bool]] = {
    "a participant comes": (BOB, {}, {EVE: THERE}, True),
    "a participant says something else": (BOB, {EVE: THERE}, {EVE: HIDDEN}, True),
    "a stranger comes": (BOB, {BOB: THERE}, {BOB: THERE, STRANGER: THERE}, False),
    "the first stranger comes to a waiting one": (None, {}, {STRANGER: THERE}, True),
    "a second stranger comes to a waiting one": (
        None,
        {BOB: THERE},
        {BOB: THERE, STRANGER: THERE},
        False,
    ),
    "who holds it and takes no part comes": (STRANGER, {}, {STRANGER: THERE}, True),
}


@pytest.mark.parametrize(
    ("assignee", "before", "after", "told"), CONCERNED.values(), ids=list(CONCERNED)
)
def test_a_change_of_who_is_there_concerns_whom_it_can_be_seen_by(
    assignee: UUID | None, before: Roster, after: Roster, told: bool
) -> None:
    assert is_concerned(concerned(PLACE, rows(assignee)), before, after) is told


def test_whom_a_session_concerns_is_read_from_its_participants() -> None:
    it = concerned(PLACE, rows(BOB))
    assert it.assignee == BOB
    assert it.agents == frozenset[UUID]({BOB, EVE})
    assert it.customers == {(PLACE[0], Actor(AuthorType.CUSTOMER, ADA))}
    assert it.version == 8 + 9 + 30 + 4
