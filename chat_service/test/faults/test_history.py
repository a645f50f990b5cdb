"""The checks themselves: each accepts a good history and rejects one made bad by hand."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from chat_service.test.faults.deliveries import (
    subscribers_are_told_the_log,
    subscribers_go_on_where_they_were,
    subscribers_hear_to_the_end,
)
from chat_service.test.faults.faultless import Faultless
from chat_service.test.faults.history import (
    CHECKS,
    acknowledged_is_stored,
    acknowledged_order_is_kept,
    audiences_have_their_numbers,
    check,
    counters_match_the_log,
    keys_are_unique,
    messages_have_their_event,
    one_holder_a_session,
    positions_are_gapless,
    session_numbers_are_gapless,
    stored_was_sent,
)
from chat_service.test.faults.reads import (
    customers_see_nothing_internal,
    pages_show_the_log,
    reads_are_monotone,
    reads_show_what_was_acknowledged,
)
from chat_service.test.faults.records import Entry, History

Holds = Callable[[History], list[str]]
Change = Callable[[History], History]
ANN, BOB, EVE = 1, 2, 3


def ordinary() -> History:
    """Two chats. In the first: a question, a claim, a note, an answer that was sent twice.

    Ann's customer and Bob follow it, with a cut between the claim and the answer.
    """
    service = Faultless()
    first, second = service.open(), service.open()
    service.send(first, began=1, ended=2)
    service.assign(first, ANN)
    service.read(first, "customer", began=3, ended=4)
    service.tell("customer", first, "customer")
    service.tell("staff", first, "staff", resumed=False)
    service.send(first, f"agent:{ANN}", audience="internal", began=5, ended=6)
    service.send(second, began=5, ended=9)
    answer = service.send(first, f"agent:{ANN}", began=7)
    service.repeat(answer, began=8, ended=9)
    service.lose(first, began=9)
    service.assign(first, BOB)
    for viewer in ("customer", "staff"):
        service.read(first, viewer, began=10, ended=11)
        service.read(first, viewer, "events", began=12, ended=13)
        service.read(first, viewer, "session", began=14, ended=15)
        service.tell(viewer, first, viewer)
    return service.history()


def changed(field: str, index: int, **values: Any) -> Change:
    """One item of a history becomes another."""

    def change(history: History) -> History:
        items = list(getattr(history, field))
        items[index] = replace(items[index], **values)
        return replace(history, **{field: tuple(items)})

    return change


def without(field: str, index: int) -> Change:
    """One item of a history is gone."""

    def change(history: History) -> History:
        items = list(getattr(history, field))
        del items[index]
        return replace(history, **{field: tuple(items)})

    return change


def twice(field: str, index: int, **values: Any) -> Change:
    """One item of a history is there a second time, with some other values."""

    def change(history: History) -> History:
        items = getattr(history, field)
        return replace(history, **{field: (*items, replace(items[index], **values))})

    return change


def swapped(field: str, first: int, second: int, *names: str) -> Change:
    """Two items of a history have exchanged some values."""

    def change(history: History) -> History:
        one, other = getattr(history, field)[first], getattr(history, field)[second]
        there = {name: getattr(other, name) for name in names}
        back = {name: getattr(one, name) for name in names}
        return changed(field, second, **back)(changed(field, first, **there)(history))

    return change


def leaking(make: Callable[[History], str]) -> Change:
    """A customer's page holds something more."""
    return lambda history: changed("pages", 1, raw=make(history))(history)


def telling(index: int, what: Callable[[tuple[Entry, ...]], tuple[Entry, ...]]) -> Change:
    """A subscriber was told something else."""

    def change(history: History) -> History:
        told = what(history.stretches[index].told)
        return changed("stretches", index, told=told)(history)

    return change


# Of `ordinary`: events 2 question, 3 assigned, 4 note, 5 second chat, 6 answer, 7 assigned again;
# messages 0 question, 1 note, 2 second chat, 3 answer; pages 0 to 3 the customer's, 4 to 6 staff's;
# stretches 0 and 2 the customer's 1 2 and 3 4, 1 and 3 staff's, who began anew at 2, none and 3 4 5.
BAD = [
    (acknowledged_is_stored, without("messages", 0), "is not stored"),
    (acknowledged_is_stored, changed("sends", 0, public_seq=2), "stored as"),
    (acknowledged_is_stored, changed("sends", 1, seq=9), "stored as"),
    (acknowledged_is_stored, changed("sends", 4, message_id=UUID(int=5)), "stored as"),
    (stored_was_sent, without("sends", 0), "was never sent"),
    (stored_was_sent, changed("messages", 1, author_slot=f"agent:{BOB}"), "was never sent"),
    (keys_are_unique, twice("messages", 0, id=UUID(int=5), seq=7), "is stored 2 times"),
    (keys_are_unique, twice("sessions", 0, id=UUID(int=5)), "2 sessions"),
    (audiences_have_their_numbers, changed("events", 4, public_seq=3), "is internal"),
    (audiences_have_their_numbers, changed("events", 2, public_seq=None), "is public"),
    (audiences_have_their_numbers, changed("events", 0, seq=6), "is workspace"),
    (audiences_have_their_numbers, changed("events", 2, seq=None), "is public"),
    (audiences_have_their_numbers, changed("events", 2, audience="all"), "is all"),
    (session_numbers_are_gapless, without("events", 3), ": seq 3 stands where 2 should"),
    (session_numbers_are_gapless, without("events", 2), ": public_seq 2 stands where 1 should"),
    (session_numbers_are_gapless, changed("events", 3, seq=1), ": seq 1 stands where 2 should"),
    (session_numbers_are_gapless, changed("events", 6, public_seq=2), ": public_seq 2 stands"),
    (session_numbers_are_gapless, swapped("events", 2, 3, "public_seq"), ": public_seq 2 stands"),
    (counters_match_the_log, changed("sessions", 0, last_seq=6), "counts (6, 4)"),
    (counters_match_the_log, changed("sessions", 0, last_public_seq=5), "counts (5, 5)"),
    (counters_match_the_log, without("events", 7), "the log has (4, 3)"),
    (counters_match_the_log, without("sessions", 0), "has a log and no row"),
    (positions_are_gapless, without("events", 1), "pos 3 stands where 2 should"),
    (positions_are_gapless, changed("events", 3, pos=3), "pos 3 stands where 4 should"),
    (positions_are_gapless, swapped("events", 2, 3, "pos"), "is behind"),
    (messages_have_their_event, without("events", 4), "message without its event"),
    (messages_have_their_event, without("messages", 1), "event without its message"),
    (messages_have_their_event, changed("messages", 0, public_seq=2), "without its event"),
    (messages_have_their_event, twice("events", 4), "event without its message"),
    (acknowledged_order_is_kept, swapped("messages", 0, 3, "seq"), "begun after 4 was known"),
    (acknowledged_order_is_kept, swapped("messages", 1, 3, "seq"), "begun after 4 was known"),
    (reads_are_monotone, changed("pages", 3, as_of=3), "shows 3, begun after 4 was read"),
    (reads_are_monotone, changed("pages", 0, as_of=5), "shows 4, begun after 5 was read"),
    (reads_show_what_was_acknowledged, changed("pages", 1, as_of=2), "after 3 was acknowledged"),
    (reads_show_what_was_acknowledged, changed("pages", 4, as_of=3), "after 4 was acknowledged"),
    (pages_show_the_log, changed("messages", 0, id=UUID(int=5)), "is stored"),
    (pages_show_the_log, without("messages", 3), "where None is stored"),
    (pages_show_the_log, twice("events", 2, public_seq=1), "shows"),
    (one_holder_a_session, changed("events", 7, assignee=(None, UUID(int=BOB))), "from None"),
    (one_holder_a_session, changed("sessions", 0, assignee_id=UUID(int=ANN)), "stored is"),
    (one_holder_a_session, changed("claims", 0, agent_id=UUID(int=EVE)), "never did"),
    (one_holder_a_session, changed("sessions", 0, status="queued"), "queued with"),
    (one_holder_a_session, changed("sessions", 1, status="pending"), "pending with None"),
    (customers_see_nothing_internal, changed("pages", 1, as_of=5), "state 5 of 4"),
    (customers_see_nothing_internal, leaking(lambda _: '{"pos": 3}'), "field pos"),
    (customers_see_nothing_internal, leaking(lambda _: '"public_seq":null'), "field public_seq"),
    (customers_see_nothing_internal, leaking(lambda h: f"ETag: {h.messages[1].id}"), "internal"),
    (customers_see_nothing_internal, leaking(lambda h: str(h.events[0].id)), "internal"),
    (customers_see_nothing_internal, leaking(lambda _: "c1.s.1.0000beef"), "cursor c1.s.1"),
    (customers_see_nothing_internal, leaking(lambda _: "c1.w.1.0000beef"), "cursor c1.w.1"),
    (customers_see_nothing_internal, leaking(lambda _: "c1.p.9.0000beef"), "cursor c1.p.9"),
    (customers_see_nothing_internal, leaking(lambda _: "c1.p.1.0000beef"), "cursor c1.p.1"),
    (customers_see_nothing_internal, changed("stretches", 2, raw='{"pos":3}'), "after 2 holds"),
    (subscribers_are_told_the_log, telling(2, lambda told: told[1:]), "told (4,"),
    (subscribers_are_told_the_log, telling(2, lambda told: told[::-1]), "told (4,"),
    (subscribers_are_told_the_log, telling(3, lambda told: (*told[:2], *told[:2])), "told (3,"),
    (subscribers_are_told_the_log, telling(2, lambda told: (*told, (5, UUID(int=5)))), "None is"),
    (subscribers_are_told_the_log, telling(0, lambda told: ((1, UUID(int=5)),)), "told (1,"),
    (subscribers_are_told_the_log, changed("stretches", 2, after=1), "told (3,"),
    (subscribers_are_told_the_log, changed("stretches", 3, viewer="customer"), "told (3,"),
    (subscribers_go_on_where_they_were, without("stretches", 0), "was told up to 0"),
    (subscribers_go_on_where_they_were, telling(0, lambda told: told[:1]), "was told up to 1"),
    (subscribers_go_on_where_they_were, changed("stretches", 3, after=1), "was told up to 2"),
    (subscribers_go_on_where_they_were, changed("stretches", 1, resumed=True), "up to 0"),
    (subscribers_go_on_where_they_were, twice("stretches", 1), "began anew behind 5"),
    (subscribers_hear_to_the_end, telling(2, lambda told: told[:1]), "heard up to 3 of 4"),
    (subscribers_hear_to_the_end, without("stretches", 3), "heard up to 2 of 5"),
]


@pytest.mark.parametrize(
    ("holds", "change", "words"), BAD, ids=[f"{holds.__name__}: {words}" for holds, _, words in BAD]
)
def test_rejects_a_bad_history(holds: Holds, change: Change, words: str) -> None:
    lines = holds(change(ordinary()))
    assert any(words in line for line in lines), lines


def test_every_check_has_a_history_that_it_rejects() -> None:
    assert {holds for holds, _, _ in BAD} == set(CHECKS)


@pytest.mark.parametrize("holds", CHECKS)
def test_accepts_an_ordinary_history(holds: Holds) -> None:
    assert holds(ordinary()) == []
    assert holds(History()) == []


def test_runs_all_checks_and_names_them() -> None:
    lines = check(without("messages", 0)(ordinary()))
    assert {line.partition(":")[0] for line in lines} >= {
        "acknowledged_is_stored",
        "messages_have_their_event",
        "pages_show_the_log",
    }
