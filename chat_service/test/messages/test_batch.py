"""What a batch decides for its drafts: who may write where, and what that does to the session."""

from dataclasses import asdict
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from chat_service.auth import Caller
from chat_service.config import Limits
from chat_service.errors import (
    AlreadyAssigned,
    NotAssigned,
    NotFound,
    ServiceError,
    SessionClosed,
    SessionFull,
    ValidationFailed,
)
from chat_service.messages.drafts import Draft
from chat_service.schema import (
    AgentId,
    AuthorType,
    CustomerId,
    Permission,
    Status,
    WorkspaceId,
)
from chat_service.sessions.queries import LockedSession
from chat_service.test.messages.drafts import (
    BOB,
    EARLIER,
    EVE,
    MESSAGE,
    NOTE,
    NOW,
    OTHER_SESSION,
    SESSION,
    WINDOW,
    agent,
    customer,
    draft,
    key,
    session,
    settle,
)

ELSEWHERE = WorkspaceId(UUID(int=99))
READS_ALL = (Permission.SESSIONS_READ_ALL, Permission.MESSAGES_WRITE)
MAY_ASSIGN = (*READS_ALL, Permission.SESSIONS_ASSIGN)
JOINS = "participant.joined"
SAID = "message.created"

MOVES: list[tuple[Caller, Status, AgentId | None, Status, AgentId | None, list[str]]] = [
    # who writes, in which state, held by whom: the state and holder after it, and the events
    (customer(), Status.QUEUED, None, Status.QUEUED, None, [SAID]),
    (customer(), Status.OPEN, BOB, Status.OPEN, BOB, [SAID]),
    (customer(), Status.OPEN, None, Status.OPEN, None, [SAID]),
    (customer(), Status.PENDING, BOB, Status.OPEN, BOB, ["session.updated", SAID]),
    (customer(), Status.PENDING, None, Status.QUEUED, None, ["session.requeued", SAID]),
    (customer(), Status.SNOOZED, BOB, Status.OPEN, BOB, ["session.updated", SAID]),
    (customer(), Status.SNOOZED, None, Status.QUEUED, None, ["session.requeued", SAID]),
    (customer(), Status.CLOSED, BOB, Status.OPEN, BOB, ["session.reopened", SAID]),
    (customer(), Status.CLOSED, None, Status.QUEUED, None, ["session.reopened", SAID]),
    (agent(), Status.QUEUED, None, Status.OPEN, BOB, ["session.assigned", JOINS, SAID]),
    (agent(), Status.PENDING, None, Status.OPEN, BOB, ["session.assigned", JOINS, SAID]),
    (agent(), Status.SNOOZED, None, Status.OPEN, BOB, ["session.assigned", JOINS, SAID]),
    (agent(), Status.OPEN, BOB, Status.OPEN, BOB, [JOINS, SAID]),
    (agent(), Status.PENDING, BOB, Status.PENDING, BOB, [JOINS, SAID]),
    (agent(), Status.SNOOZED, BOB, Status.SNOOZED, BOB, [JOINS, SAID]),
    (key(), Status.QUEUED, None, Status.QUEUED, None, [JOINS, SAID]),
    (key(), Status.OPEN, BOB, Status.OPEN, BOB, [JOINS, SAID]),
    (key(), Status.PENDING, None, Status.PENDING, None, [JOINS, SAID]),
]


@pytest.mark.parametrize(
    ("writer", "status", "holder", "status_after", "holder_after", "types"),
    MOVES,
    ids=[f"{move[0].actor.type}-{move[1]}-{'held' if move[2] else 'free'}" for move in MOVES],
)
def test_a_public_message_moves_its_session(
    writer: Caller,
    status: Status,
    holder: AgentId | None,
    status_after: Status,
    holder_after: AgentId | None,
    types: list[str],
) -> None:
    here = session(status, assignee_id=holder)
    outcome = settle(draft(writer), here)
    assert not outcome.sent.repeated
    assert (here.status, here.assignee_id) == (status_after, holder_after)
    assert outcome.types == types


@pytest.mark.parametrize("writer", [agent(), key()], ids=["agent", "key"])
@pytest.mark.parametrize("status", list(Status))
def test_a_note_moves_nothing_and_may_be_written_in_every_state(
    writer: Caller, status: Status
) -> None:
    here = session(status, waiting_since=EARLIER)
    outcome = settle(draft(writer, visibility=NOTE), here)
    assert (here.status, here.assignee_id, here.waiting_since) == (status, None, EARLIER)
    assert (outcome.types, outcome.batch.joined) == ([SAID], [])


@pytest.mark.parametrize(
    ("writer", "waits"), [(agent(), None), (key(), EARLIER)], ids=["agent", "key"]
)
def test_a_customer_waits_until_an_agent_answers(writer: Caller, waits: datetime | None) -> None:
    here = session(Status.OPEN, assignee_id=BOB, waiting_since=EARLIER)
    settle(draft(writer), here)
    assert here.waiting_since == waits


@pytest.mark.parametrize("status", [Status.PENDING, Status.SNOOZED, Status.CLOSED])
def test_a_session_whose_holder_has_gone_comes_back_to_the_queue(status: Status) -> None:
    here = session(status, assignee_id=BOB)
    outcome = settle(draft(customer()), here, active=[EVE])
    assert (here.status, here.assignee_id, here.queued_at) == (Status.QUEUED, None, NOW)
    assert outcome.events[0].data()["changes"] == {
        "status": [status, "queued"],
        "assignee": [str(BOB), None],
    }


def test_a_reopened_session_is_no_longer_closed() -> None:
    here = session(Status.CLOSED, assignee_id=BOB, closed_at=NOW - WINDOW)
    settle(draft(customer()), here)
    assert (here.closed_at, here.closed_reason) == (None, None)


@pytest.mark.parametrize("writer", [customer(), agent(), key()], ids=["customer", "agent", "key"])
def test_nobody_writes_publicly_to_a_session_closed_too_long_ago(writer: Caller) -> None:
    here = session(Status.CLOSED, closed_at=NOW - WINDOW - timedelta(seconds=1))
    error = settle(draft(writer), here).error
    assert isinstance(error, SessionClosed)
    assert error.members == {"reopen": False}


@pytest.mark.parametrize("writer", [agent(), key()], ids=["agent", "key"])
def test_staff_must_reopen_before_they_write(writer: Caller) -> None:
    error = settle(draft(writer), session(Status.CLOSED)).error
    assert isinstance(error, SessionClosed)
    assert error.members == {"reopen": True}


def test_an_internal_move_among_resting_states_is_not_shown_to_the_customer() -> None:
    here = session(Status.PENDING, assignee_id=BOB)
    outcome = settle(draft(customer()), here)
    assert [event.audience for event in outcome.events] == ["internal", "public"]
    assert outcome.numbers == [(2, 1)]


REFUSALS: dict[str, tuple[Draft, LockedSession, type[ServiceError]]] = {
    "unknown session": (
        draft(customer(), session_id=OTHER_SESSION),
        session(),
        NotFound,
    ),
    "other customer": (draft(customer(CustomerId(UUID(int=98)))), session(), NotFound),
    "other workspace": (draft(customer(workspace_id=ELSEWHERE)), session(), NotFound),
    "agent of another workspace": (draft(agent(workspace_id=ELSEWHERE)), session(), NotFound),
    "agent who may not see it": (
        draft(agent(EVE)),
        session(Status.OPEN, assignee_id=BOB),
        NotFound,
    ),
    "note by who may not see it": (
        draft(agent(EVE), visibility=NOTE),
        session(Status.OPEN, assignee_id=BOB),
        NotFound,
    ),
    "claims are off": (draft(agent()), session(reply_claims=False), NotAssigned),
    "agent is no longer active": (draft(agent(AgentId(UUID(int=97)))), session(), NotAssigned),
    "somebody else's": (
        draft(agent(EVE, READS_ALL)),
        session(Status.OPEN, assignee_id=BOB),
        AlreadyAssigned,
    ),
    "key without sessions:assign": (
        draft(key(READS_ALL)),
        session(Status.OPEN, assignee_id=BOB),
        AlreadyAssigned,
    ),
    "assignee only": (
        draft(agent(EVE, MAY_ASSIGN)),
        session(Status.OPEN, assignee_id=BOB, assignee_only=True),
        AlreadyAssigned,
    ),
    "assignee only, a key": (
        draft(key()),
        session(Status.OPEN, assignee_id=BOB, assignee_only=True),
        AlreadyAssigned,
    ),
    "full": (draft(customer()), session(message_count=30_000), SessionFull),
    "closed": (draft(agent()), session(Status.CLOSED), SessionClosed),
    "answer to nothing": (draft(customer(), reply_to_id=MESSAGE), session(), ValidationFailed),
}


@pytest.mark.parametrize(("refused", "here", "error"), REFUSALS.values(), ids=list(REFUSALS))
def test_a_refused_draft_changes_nothing_and_takes_no_number(
    refused: Draft, here: LockedSession, error: type[ServiceError]
) -> None:
    before = asdict(here)
    outcome = settle(refused, here)
    assert type(outcome.error) is error
    assert asdict(here) == before
    batch = outcome.batch
    assert not (outcome.events or batch.messages or batch.joined or batch.changed)


def test_the_refusal_of_a_held_session_names_its_holder() -> None:
    here = session(Status.OPEN, assignee_id=BOB)
    error = settle(draft(agent(EVE, READS_ALL)), here).error
    assert error.members == {"assignee": {"type": "agent", "id": str(BOB)}}


@pytest.mark.parametrize("writer", [agent(EVE, MAY_ASSIGN), key(MAY_ASSIGN)])
def test_who_may_assign_joins_somebody_elses_session(writer: Caller) -> None:
    here = session(Status.OPEN, assignee_id=BOB)
    outcome = settle(draft(writer), here)
    assert outcome.batch.joined == [(SESSION, writer.actor.type, writer.actor.id)]
    assert here.assignee_id == BOB


@pytest.mark.parametrize("writer", [agent(EVE, READS_ALL), key(READS_ALL)])
def test_a_note_in_somebody_elses_session_needs_no_right_to_assign(writer: Caller) -> None:
    here = session(Status.OPEN, assignee_id=BOB, assignee_only=True)
    assert settle(draft(writer, visibility=NOTE), here).types == [SAID]


def test_the_assignee_answers_where_only_he_may() -> None:
    here = session(Status.OPEN, assignee_id=BOB, assignee_only=True)
    assert settle(draft(agent()), here).types == [JOINS, SAID]


def test_a_key_writes_to_a_waiting_session_where_claims_are_off() -> None:
    here = session(reply_claims=False)
    settle(draft(key()), here)
    assert (here.status, here.assignee_id) == (Status.QUEUED, None)


def test_the_first_answer_of_a_batch_claims_and_the_second_is_refused() -> None:
    here = session()
    drafts = [draft(agent()), draft(agent(EVE, READS_ALL)), draft(agent(), "Again")]
    outcome = settle(drafts, here)
    assert [type(result).__name__ for result in outcome.results] == [
        "Sent",
        "AlreadyAssigned",
        "Sent",
    ]
    assert outcome.types == ["session.assigned", JOINS, SAID, SAID]


def test_a_claim_takes_the_session_out_of_the_queue() -> None:
    here = session(waiting_since=EARLIER)
    outcome = settle(draft(agent()), here)
    assert (here.queued_at, here.waiting_since) == (None, None)
    assert outcome.events[0].data()["changes"] == {
        "assignee": [None, str(BOB)],
        "status": ["queued", "open"],
    }


def test_who_takes_part_already_joins_no_more() -> None:
    here = session(Status.OPEN, assignee_id=BOB)
    outcome = settle(draft(agent()), here, participants=[(SESSION, AuthorType.AGENT, BOB)])
    assert (outcome.types, outcome.batch.joined) == ([SAID], [])


def test_a_customer_waits_since_the_first_message_nobody_answered() -> None:
    waiting = session(waiting_since=EARLIER)
    fresh = session(id=OTHER_SESSION)
    settle([draft(customer()), draft(customer(), session_id=OTHER_SESSION)], waiting, fresh)
    assert (waiting.waiting_since, fresh.waiting_since) == (EARLIER, NOW)


def test_the_last_place_of_a_session_is_taken_once() -> None:
    drafts = [draft(customer(), text) for text in ("last", "too late")]
    outcome = settle(drafts, session(message_count=1), limits=Limits(session_messages=2))
    assert [type(result).__name__ for result in outcome.results] == ["Sent", "SessionFull"]
