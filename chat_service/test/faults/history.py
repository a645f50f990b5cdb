"""What must hold of any run, whatever broke meanwhile. Pure: a history in, violations out.

A fault test notes what it sent, was told and read, adds the rows from `stored.read_history`, and
asserts that `check` finds nothing. Numbers are visible and gapless, so each check is exact and
takes O(n log n). A new promise is one more function in `CHECKS`.
"""

from collections import Counter
from itertools import pairwise
from typing import Final
from uuid import UUID

from chat_service.test.faults.deliveries import (
    subscribers_are_told_the_log,
    subscribers_go_on_where_they_were,
    subscribers_hear_to_the_end,
)
from chat_service.test.faults.order import first_gap, grouped, highest_before, repeated
from chat_service.test.faults.reads import (
    customers_see_nothing_internal,
    pages_show_the_log,
    reads_are_monotone,
    reads_show_what_was_acknowledged,
)
from chat_service.test.faults.records import (
    Claim,
    History,
    Key,
    Page,
    Send,
    StoredEvent,
    StoredMessage,
    StoredSession,
    Stretch,
)

__all__ = [
    "CHECKS",
    "Claim",
    "History",
    "Page",
    "Send",
    "StoredEvent",
    "StoredMessage",
    "StoredSession",
    "Stretch",
    "check",
]

NUMBERS_OF: Final = {
    "public": (True, True),
    "internal": (True, False),
    "workspace": (False, False),
}
"""Whether an event of an audience has `seq`, and whether it has `public_seq`."""
Place = tuple[UUID | None, UUID | None, int | None, int | None]
"""A session, one of its messages, and the numbers it stands under."""


def check(history: History) -> list[str]:
    """Everything that is wrong, each line led by the name of its check."""
    return [f"{holds.__name__}: {line}" for holds in CHECKS for line in holds(history)]


def acknowledged_is_stored(history: History) -> list[str]:
    """What was acknowledged is there, under the id and the numbers that were told."""
    stored = {message.key: message for message in history.messages}
    lines = []
    for send in history.sends:
        if send.ended is None:
            continue
        message = stored.get(send.key)
        if message is None:
            lines.append(f"{_name(send.key)} was acknowledged and is not stored")
        elif not _agree(send, message):
            lines.append(f"{_name(send.key)} was acknowledged as {send}, stored as {message}")
    return lines


def _agree(send: Send, message: StoredMessage) -> bool:
    told = (send.message_id, send.seq, send.public_seq)
    kept = (message.id, message.seq, message.public_seq)
    return all(said in (None, is_) for said, is_ in zip(told, kept, strict=True))


def stored_was_sent(history: History) -> list[str]:
    """No message is there that nobody sent, but for those of the system."""
    sent = {send.key for send in history.sends}
    written = (message.key for message in history.messages if message.author_slot is not None)
    return [f"{_name(key)} was never sent" for key in written if key not in sent]


def keys_are_unique(history: History) -> list[str]:
    """One message a key, and one session a customer and `client_session_id`."""
    messages = (item.key for item in history.messages if item.client_message_id is not None)
    sessions = ((item.customer_id, item.client_session_id) for item in history.sessions)
    return [f"{_name(key)} is stored {times} times" for key, times in repeated(messages)] + [
        f"customer {customer} has {times} sessions {name}"
        for (customer, name), times in repeated(sessions)
    ]


def audiences_have_their_numbers(history: History) -> list[str]:
    """Public events have both numbers, internal ones `seq` alone, those of the workspace none."""
    return [
        f"{_event(event)} is {event.audience}"
        for event in history.events
        if NUMBERS_OF.get(event.audience) != (event.seq is not None, event.public_seq is not None)
    ]


def session_numbers_are_gapless(history: History) -> list[str]:
    """In each session `seq` is 1…n over all events, and `public_seq` 1…m rises with it."""
    lines = []
    for session_id, log in history.logs().items():
        public = [event.public_seq for event in log if event.public_seq is not None]
        for name, numbers in (("seq", [event.seq or 0 for event in log]), ("public_seq", public)):
            if gap := first_gap(numbers):
                lines.append(f"session {session_id}: {name} {gap}")
    return lines


def counters_match_the_log(history: History) -> list[str]:
    """A session's counters, from which the next numbers come, are its last numbers."""
    logs = history.logs()
    lines = []
    for session in history.sessions:
        log = logs.pop(session.id, [])
        public = sum(event.public_seq is not None for event in log)
        counted = (session.last_seq, session.last_public_seq)
        if counted != (len(log), public):
            lines.append(f"session {session.id} counts {counted}, the log has {(len(log), public)}")
    return lines + [f"session {session_id} has a log and no row" for session_id in logs]


def positions_are_gapless(history: History) -> list[str]:
    """In each workspace `pos` is 1…n, and rises with `seq` inside a session."""
    lines = []
    workspaces = grouped(history.events, lambda event: event.workspace_id)
    for workspace_id, events in workspaces.items():
        if gap := first_gap(sorted(event.pos for event in events)):
            lines.append(f"workspace {workspace_id}: pos {gap}")
    return lines + [
        f"{_event(later)} is behind {_event(earlier)} in the log of the workspace"
        for log in history.logs().values()
        for earlier, later in pairwise(log)
        if later.pos <= earlier.pos
    ]


def messages_have_their_event(history: History) -> list[str]:
    """A message and its `message.created` are one commit and carry the same numbers."""
    created: Counter[Place] = Counter(
        (event.session_id, event.message_id, event.seq, event.public_seq)
        for event in history.events
        if event.type == "message.created"
    )
    written: Counter[Place] = Counter(
        (message.session_id, message.id, message.seq, message.public_seq)
        for message in history.messages
    )
    return [f"message without its event: {_place(found)}" for found in written - created] + [
        f"event without its message: {_place(found)}" for found in created - written
    ]


def acknowledged_order_is_kept(history: History) -> list[str]:
    """A send acknowledged before another of its session began has the lower number.

    Of repeats the first beginning and the first acknowledgement count.
    """
    numbers = {message.key: message.seq for message in history.messages}
    sends = grouped(history.sends, lambda send: send.key)
    lines = []
    for keys in grouped(sends.keys() & numbers.keys(), lambda key: key[0]).values():
        known = highest_before(
            (send.ended, numbers[key])
            for key in keys
            for send in sends[key]
            if send.ended is not None
        )
        for key in keys:
            before = known(min(send.began for send in sends[key]))
            if numbers[key] <= before:
                lines.append(f"{_name(key)} has {numbers[key]}, begun after {before} was known")
    return lines


def one_holder_a_session(history: History) -> list[str]:
    """Each assignment takes the session from its holder, and the row names the last one's agent.

    Who was told to hold it did; a waiting session has no holder, one in hand has one.
    """
    logs = history.logs()
    told = grouped(history.claims, lambda claim: claim.session_id)
    lines = []
    for session in history.sessions:
        moves = [event.assignee for event in logs.get(session.id, []) if event.assignee]
        lines += [
            f"session {session.id}: given to {after} from {before}, held by {holder}"
            for (_, holder), (before, after) in pairwise(moves)
            if before != holder
        ]
        holders = {agent for move in moves for agent in move} or {session.assignee_id}
        lines += [
            f"session {session.id}: {claim.agent_id} was told to hold it and never did"
            for claim in told.get(session.id, [])
            if claim.agent_id not in holders
        ]
        lines += _misplaced(session, moves[-1][1] if moves else session.assignee_id)
    return lines


def _misplaced(session: StoredSession, holder: UUID | None) -> list[str]:
    """What is wrong with the holder in a session's row, `holder` being the log's."""
    lines = []
    if session.assignee_id != holder:
        lines.append(f"session {session.id}: {holder} holds it, stored is {session.assignee_id}")
    if session.status != "closed" and (session.status == "queued") == bool(session.assignee_id):
        lines.append(f"session {session.id}: {session.status} with {session.assignee_id}")
    return lines


def _name(key: Key) -> str:
    session_id, slot, client_message_id = key
    return f"session {session_id}, {slot}: {client_message_id}"


def _event(event: StoredEvent) -> str:
    numbers = f"pos {event.pos}, seq {event.seq}, public_seq {event.public_seq}"
    return f"session {event.session_id}: {event.type} ({numbers})"


def _place(place: Place) -> str:
    session_id, message_id, seq, public_seq = place
    return f"session {session_id}: {message_id} (seq {seq}, public_seq {public_seq})"


CHECKS: Final = (
    acknowledged_is_stored,
    stored_was_sent,
    keys_are_unique,
    audiences_have_their_numbers,
    session_numbers_are_gapless,
    counters_match_the_log,
    positions_are_gapless,
    messages_have_their_event,
    acknowledged_order_is_kept,
    reads_are_monotone,
    reads_show_what_was_acknowledged,
    pages_show_the_log,
    one_holder_a_session,
    customers_see_nothing_internal,
    subscribers_are_told_the_log,
    subscribers_go_on_where_they_were,
    subscribers_hear_to_the_end,
)
