"""The checks find nothing wrong in what a service without faults does, usual or not."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.test.faults.faultless import Faultless
from chat_service.test.faults.history import check
from chat_service.test.faults.records import Claim

ANN, BOB, EVE = 1, 2, 3


def sends_at_once(service: Faultless, session_id: UUID) -> None:
    service.send(session_id, began=2, ended=9)
    service.send(session_id, f"agent:{ANN}", began=1, ended=9)


def repeat_of_what_was_stored_before(service: Faultless, session_id: UUID) -> None:
    early = service.send(session_id, began=1)
    service.send(session_id, f"agent:{ANN}", began=2, ended=3)
    service.repeat(early, began=4, ended=5)


def sends_without_answer(service: Faultless, session_id: UUID) -> None:
    service.send(session_id, began=1)
    service.lose(session_id, began=2)


def message_of_the_system(service: Faultless, session_id: UUID) -> None:
    service.say(session_id)
    service.say(session_id)


def reads_at_once(service: Faultless, session_id: UUID) -> None:
    service.read(session_id, "staff", began=2, ended=9)
    service.send(session_id, began=1, ended=3)
    service.read(session_id, "staff", began=2, ended=4)
    service.send(session_id, began=4, ended=9)
    service.read(session_id, "staff", "events", began=5, ended=6)


def page_that_was_cut(service: Faultless, session_id: UUID) -> None:
    for second in (1, 3, 5):
        service.send(session_id, began=second, ended=second + 1)
    whole = service.read(session_id, "customer", "events", began=7, ended=8)
    service.pages[0] = replace(whole, as_of=None, shown=whole.shown[1:2])


def cursors_of_the_public_log(service: Faultless, session_id: UUID) -> None:
    message = service.send(session_id, began=1, ended=2)
    page = service.read(session_id, "customer", began=3, ended=4)
    service.pages[0] = replace(page, raw=f'"c1.p.1.{message.id.hex[-8:]}", "c1.p.0"')


def session_that_goes_round(service: Faultless, session_id: UUID) -> None:
    for agent in (ANN, None, BOB, BOB, EVE):
        service.assign(session_id, agent)


def session_started_by_its_agent(service: Faultless, session_id: UUID) -> None:
    row = service.sessions[session_id]
    service.sessions[session_id] = replace(row, status="open", assignee_id=UUID(int=ANN))
    service.claims.append(Claim(session_id, UUID(int=ANN)))


def session_closed_in_the_queue(service: Faultless, session_id: UUID) -> None:
    service.sessions[session_id] = replace(service.sessions[session_id], status="closed")


@pytest.mark.parametrize(
    "happens",
    [
        sends_at_once,
        repeat_of_what_was_stored_before,
        sends_without_answer,
        message_of_the_system,
        reads_at_once,
        page_that_was_cut,
        cursors_of_the_public_log,
        session_that_goes_round,
        session_started_by_its_agent,
        session_closed_in_the_queue,
    ],
)
def test_accepts_what_may_happen(happens: Callable[[Faultless, UUID], None]) -> None:
    service = Faultless()
    happens(service, service.open())
    assert check(service.history()) == []


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "note", "unanswered", "lost", "again", "read", "assign", "say"]),
        st.integers(0, 2),  # which session
        st.sampled_from([ANN, BOB, EVE]),
        st.integers(0, 30),  # how long before the commit the caller began
        st.integers(0, 30),  # how long after it he was answered
    ),
    max_size=40,
)


@given(steps=STEPS)
def test_accepts_whatever_a_faultless_service_does(
    steps: list[tuple[str, int, int, int, int]],
) -> None:
    service = Faultless()
    sessions = [service.open() for _ in range(3)]
    for number, (kind, session, agent, before, after) in enumerate(steps):
        now = 10 * number
        step(service, kind, sessions[session], agent, now - before, now + after)
    assert check(service.history()) == []


def step(
    service: Faultless, kind: str, session_id: UUID, agent: int, began: float, ended: float
) -> None:
    """One thing that clients or staff may do."""
    if kind == "send":
        service.send(session_id, began=began, ended=ended)
    elif kind == "note":
        slot = f"agent:{agent}"
        service.send(session_id, slot, audience="internal", began=began, ended=ended)
    elif kind == "unanswered":
        service.send(session_id, f"agent:{agent}", began=began)
    elif kind == "lost":
        service.lose(session_id, began=began)
    elif kind == "again" and service.sent:
        service.repeat(service.sent[agent % len(service.sent)], began=began, ended=ended)
    elif kind == "read":
        service.read(session_id, "customer", began=began, ended=ended)
        service.read(session_id, "staff", "events", began=began, ended=ended)
    elif kind == "assign":
        service.assign(session_id, agent)
    elif kind == "say":
        service.say(session_id)
