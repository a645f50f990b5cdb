"""What a batch numbers, what it takes for a repeat, and which message may be answered."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from chat_service.auth import Caller
from chat_service.errors import ClientMessageIdReused, NotFound
from chat_service.messages.batch import agents_concerned, staff_writing
from chat_service.messages.drafts import Draft, Key, Sent
from chat_service.schema import (
    AgentId,
    AuthorType,
    CustomerId,
    SessionId,
    Status,
    Visibility,
)
from chat_service.test.messages.drafts import (
    BOB,
    BOT,
    EARLIER,
    EVE,
    MESSAGE,
    NOTE,
    NOW,
    OTHER_SESSION,
    SESSION,
    agent,
    customer,
    draft,
    key,
    session,
    settle,
)

AGENT = AuthorType.AGENT

ORDER = Visibility.PUBLIC, NOTE, NOTE, Visibility.PUBLIC


def test_both_numberings_rise_without_a_hole() -> None:
    here = session(Status.OPEN, last_seq=7, last_public_seq=3)
    drafts = [draft(key(), str(place), visibility=each) for place, each in enumerate(ORDER)]
    outcome = settle(drafts, here, participants=[(SESSION, key().actor.type, key().token_id)])
    assert outcome.numbers == [(8, 4), (9, None), (10, None), (11, 5)]
    assert (here.last_seq, here.last_public_seq) == (11, 5)


def test_each_session_of_a_batch_counts_for_itself() -> None:
    here, there = session(last_seq=4, last_public_seq=2), session(id=OTHER_SESSION)
    ids = [SESSION, OTHER_SESSION, SESSION]
    drafts = [draft(customer(), str(n), session_id=where) for n, where in enumerate(ids)]
    assert settle(drafts, here, there).numbers == [(5, 3), (1, 1), (6, 4)]


def test_a_refused_draft_between_others_leaves_no_hole() -> None:
    drafts = [
        draft(customer(), "first"),
        draft(customer(CustomerId(UUID(int=98))), "a stranger's"),
        draft(customer(), "an answer to nothing", reply_to_id=MESSAGE),
        draft(customer(), "second"),
    ]
    assert settle(drafts, session()).numbers == [(1, 1), (2, 2)]


def test_a_message_has_the_numbers_and_the_id_of_the_last_of_its_events() -> None:
    outcome = settle(draft(agent()), session())
    assert outcome.types == ["session.assigned", "participant.joined", "message.created"]
    row = outcome.sent.row
    assert (row["seq"], row["public_seq"]) == (3, 3)
    assert row["id"] == outcome.events[-1].id == outcome.events[-1].message_id


def test_the_session_counts_its_public_messages_and_knows_the_last() -> None:
    here = session()
    drafts = [draft(key(), "said"), draft(key(), "noted", visibility=NOTE)]
    outcome = settle(drafts, here)
    assert here.message_count == 1
    assert here.last_message_id == outcome.batch.messages[0]["id"]


@pytest.mark.parametrize(("visibility", "moved"), [(Visibility.PUBLIC, NOW), (NOTE, EARLIER)])
def test_a_note_moves_the_version_and_no_time_a_customer_sees(
    visibility: Visibility, moved: datetime
) -> None:
    here = session(Status.OPEN, assignee_id=BOB)
    settle(draft(agent(), visibility=visibility), here, participants=[(SESSION, AGENT, BOB)])
    assert (here.version, here.updated_at, here.last_activity_at) == (2, NOW, moved)


def test_a_row_holds_what_was_sent_and_who_sent_it() -> None:
    sent = draft(key(), metadata={"order": 1}, public_metadata={"page": "/"}, reply_to_id=MESSAGE)
    row = settle(sent, session(), replies={MESSAGE: (SESSION, Visibility.PUBLIC)}).sent.row
    for name in ("client_message_id", "content", "metadata", "public_metadata", "reply_to_id"):
        assert row[name] == getattr(sent, name)
    assert (row["author_type"], row["author_id"]) == (key().actor.type, key().actor.id)
    assert (row["version"], row["created_at"], row["edited_at"]) == (1, NOW, None)


@pytest.mark.parametrize(
    ("writer", "name"), [(customer(), "Ada"), (agent(), "Agent"), (key(), "Robot")]
)
def test_a_result_names_its_author(writer: Caller, name: str) -> None:
    assert settle(draft(writer), session()).sent.author_name == name


def _stored(one: Draft, **changes: Any) -> dict[Key, dict[str, Any]]:
    return {one.key: {"fingerprint": one.fingerprint, "seq": 5, **changes}}


REPEATED_IN: dict[str, dict[str, Any]] = {
    "queued": {},
    "closed inside the window": {"status": Status.CLOSED},
    "closed long ago": {"status": Status.CLOSED, "reopen_seconds": 0},
    "full": {"message_count": 30_000},
    "somebody else's": {"status": Status.OPEN, "assignee_id": EVE, "assignee_only": True},
    "claims are off": {"reply_claims": False},
}


@pytest.mark.parametrize("values", REPEATED_IN.values(), ids=list(REPEATED_IN))
@pytest.mark.parametrize("writer", [customer(), key()], ids=["customer", "key"])
def test_a_repeat_is_answered_in_every_state_and_changes_nothing(
    writer: Caller, values: dict[str, Any]
) -> None:
    here, one = session(**values), draft(writer)
    before = asdict(here)
    outcome = settle(one, here, stored=_stored(one))
    assert outcome.sent.repeated and outcome.sent.row["seq"] == 5
    assert asdict(here) == before
    assert not (outcome.events or outcome.batch.messages or outcome.batch.changed)


def test_a_repeat_in_its_own_batch_gets_the_first_ones_message() -> None:
    outcome = settle([draft(customer()), draft(customer()), draft(customer())], session())
    sent = [result for result in outcome.results if isinstance(result, Sent)]
    assert [result.repeated for result in sent] == [False, True, True]
    assert all(result.row is sent[0].row for result in sent)
    assert outcome.numbers == [(1, 1)]


def test_a_repeat_of_a_refused_draft_is_no_repeat() -> None:
    refused = draft(customer(), reply_to_id=MESSAGE)
    good = draft(customer())
    outcome = settle([refused, good], session())
    assert [isinstance(result, Sent) for result in outcome.results] == [False, True]
    assert outcome.numbers == [(1, 1)]


def test_a_deleted_message_is_still_the_answer_to_its_repeat() -> None:
    one = draft(customer())
    outcome = settle(one, session(), stored=_stored(one, fingerprint=None, content=None))
    assert outcome.sent.repeated and outcome.sent.row["content"] is None


OTHERS = {
    "other words": {"content": {"type": "text", "text": "Bye", "format": "plain"}},
    "other format": {"content": {"type": "text", "text": "Hello", "format": "markdown"}},
    "other visibility": {"visibility": NOTE},
    "other answered message": {"reply_to_id": MESSAGE},
}


@pytest.mark.parametrize("changes", OTHERS.values(), ids=list(OTHERS))
@pytest.mark.parametrize("where", ["stored", "in the batch"])
def test_the_same_id_for_another_message_is_refused(changes: dict[str, Any], where: str) -> None:
    one, other = draft(key()), draft(key(), **changes)
    if where == "stored":
        outcome = settle(other, session(), stored=_stored(one))
    else:
        outcome = settle([one, other], session())
    assert isinstance(outcome.results[-1], ClientMessageIdReused)


def test_a_repeat_with_other_metadata_is_a_repeat() -> None:
    one = draft(key())
    other = draft(key(), metadata={"try": 2}, public_metadata={"try": 2})
    assert settle(other, session(), stored=_stored(one)).sent.repeated


def test_the_same_id_of_another_author_or_session_is_another_message() -> None:
    sessions = session(Status.OPEN), session(id=OTHER_SESSION)
    drafts = [
        draft(customer()),
        draft(key()),
        draft(agent()),
        draft(customer(), session_id=OTHER_SESSION),
    ]
    outcome = settle(drafts, *sessions)
    assert [result.repeated for result in outcome.results if isinstance(result, Sent)] == (
        [False] * 4
    )


def test_a_repeat_shows_nothing_to_who_may_not_see_the_session() -> None:
    one = draft(agent(EVE))
    outcome = settle(one, session(Status.OPEN, assignee_id=BOB), stored=_stored(one))
    assert isinstance(outcome.error, NotFound)


REPLIES = {
    # where the answered message stands and how it is visible; who answers how; may he
    "public to public": (SESSION, Visibility.PUBLIC, customer(), Visibility.PUBLIC, True),
    "note to public": (SESSION, Visibility.PUBLIC, agent(), NOTE, True),
    "note to note": (SESSION, NOTE, agent(), NOTE, True),
    "public to note": (SESSION, NOTE, agent(), Visibility.PUBLIC, False),
    "customer to note": (SESSION, NOTE, customer(), Visibility.PUBLIC, False),
    "to another session": (OTHER_SESSION, Visibility.PUBLIC, agent(), Visibility.PUBLIC, False),
    "note to another session": (OTHER_SESSION, NOTE, agent(), NOTE, False),
}


@pytest.mark.parametrize(
    ("place", "shown", "writer", "visibility", "allowed"), REPLIES.values(), ids=list(REPLIES)
)
def test_an_answer_stays_in_its_session_and_shows_no_note(
    place: SessionId, shown: Visibility, writer: Caller, visibility: Visibility, allowed: bool
) -> None:
    answer = draft(writer, visibility=visibility, reply_to_id=MESSAGE)
    outcome = settle(answer, session(), replies={MESSAGE: (place, shown)})
    if allowed:
        assert outcome.sent.row["reply_to_id"] == MESSAGE
    else:
        (field,) = outcome.error.errors
        assert (field.pointer, field.code) == ("/reply_to_id", "unknown_message")


CONCERNED: dict[str, tuple[Draft, dict[str, Any], set[AgentId]]] = {
    "customer wakes": (draft(customer()), {"status": Status.PENDING, "assignee_id": BOB}, {BOB}),
    "customer reopens": (draft(customer()), {"status": Status.CLOSED, "assignee_id": BOB}, {BOB}),
    "customer in an open one": (
        draft(customer()),
        {"status": Status.OPEN, "assignee_id": BOB},
        set(),
    ),
    "nobody held it": (draft(customer()), {"status": Status.CLOSED}, set()),
    "agent claims": (draft(agent(EVE)), {"status": Status.QUEUED}, {EVE}),
    "note": (draft(agent(EVE), visibility=NOTE), {"status": Status.QUEUED}, set()),
    "key": (draft(key()), {"status": Status.QUEUED}, set()),
    "unknown session": (draft(agent(), session_id=OTHER_SESSION), {}, set()),
}


@pytest.mark.parametrize(("one", "values", "agents"), CONCERNED.values(), ids=list(CONCERNED))
def test_agents_are_locked_whom_a_batch_may_make_or_keep_assignee(
    one: Draft, values: dict[str, Any], agents: set[AgentId]
) -> None:
    assert agents_concerned([one], {SESSION: session(**values)}) == agents


def test_staff_who_write_publicly_may_have_to_join() -> None:
    drafts = [draft(customer()), draft(agent()), draft(key()), draft(agent(EVE), visibility=NOTE)]
    assert {(where, actor.id) for where, actor in staff_writing(drafts)} == {
        (SESSION, BOB),
        (SESSION, BOT),
    }
