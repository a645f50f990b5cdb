"""Checks of what was read: nothing goes back, nothing is left out, nothing internal gets out."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from typing import Final
from uuid import UUID

from chat_service.test.faults.order import grouped, highest_before
from chat_service.test.faults.records import (
    Entry,
    History,
    Page,
    StoredEvent,
    StoredMessage,
    Stretch,
    Viewer,
    number_for,
)

STAFF_FIELD: Final = re.compile(r'"(pos|public_seq|last_public_seq)"\s*:')
CURSOR: Final = re.compile(r"\bc1\.([a-z])\.(\d+)(?:\.([0-9a-f]+))?")
ID: Final = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)


def reads_are_monotone(history: History) -> list[str]:
    """A read begun after another had ended shows no older state of the session."""
    lines = []
    for pages in grouped(history.pages, _view).values():
        known = highest_before((page.ended, page.as_of or 0) for page in pages)
        lines += _behind(pages, known, "was read")
    return lines


def reads_show_what_was_acknowledged(history: History) -> list[str]:
    """A read begun after a message was acknowledged shows a state that has it."""
    stored = {message.key: message for message in history.messages}
    sends = grouped(history.sends, lambda send: send.session_id)
    lines = []
    for (session_id, viewer), pages in grouped(history.pages, _view).items():
        known = highest_before(
            (send.ended, number_for(viewer, stored[send.key]) or 0)
            for send in sends.get(session_id, [])
            if send.ended is not None and send.key in stored
        )
        lines += _behind(pages, known, "was acknowledged")
    return lines


def _view(page: Page) -> tuple[UUID, Viewer]:
    return page.session_id, page.viewer


def _behind(pages: list[Page], known: Callable[[float], int], how: str) -> list[str]:
    return [
        f"{_name(page)} shows {page.as_of}, begun after {known(page.began)} {how}"
        for page in pages
        if page.as_of is not None and page.as_of < known(page.began)
    ]


def pages_show_the_log(history: History) -> list[str]:
    """Everybody is shown the same thing under a number, and nothing between two is left out."""
    rows: dict[str, dict[UUID | None, list[StoredMessage | StoredEvent]]] = {
        "messages": grouped(history.messages, lambda row: row.session_id),
        "events": grouped(history.events, lambda row: row.session_id),
    }
    lines = []
    for (of, session_id, viewer), pages in grouped(history.pages, _log).items():
        stored = numbered(rows.get(of, {}).get(session_id, []), viewer)
        for page in pages:
            if difference := _difference(page.shown, stored):
                lines.append(f"{_name(page)} shows {difference}")
    return lines


def _log(page: Page) -> tuple[str, UUID, Viewer]:
    return page.of, page.session_id, page.viewer


def numbered(rows: Iterable[StoredMessage | StoredEvent], viewer: Viewer) -> list[Entry]:
    """What a viewer may see of the rows, in his numbering."""
    numbers = ((number_for(viewer, row), row.id) for row in rows)
    return sorted((number, row_id) for number, row_id in numbers if number is not None)


def _difference(shown: tuple[Entry, ...], stored: list[Entry]) -> str | None:
    """How a page differs from what is stored between its first and its last number."""
    if not shown:
        return None
    first = bisect_left(stored, shown[0][0], key=_number)
    behind = bisect_right(stored, shown[-1][0], key=_number)
    for seen, kept in zip_longest(shown, stored[first:behind]):
        if seen != kept:
            return f"{seen} where {kept} is stored"
    return None


def _number(entry: Entry) -> int:
    return entry[0]


def customers_see_nothing_internal(history: History) -> list[str]:
    """What customers get holds no id of an internal thing and no staff number, field or cursor."""
    logs = history.logs()
    hidden = _hidden(history.events)
    shown: tuple[Page | Stretch, ...] = (*history.pages, *history.stretches)
    customers = [page for page in shown if page.viewer == "customer"]
    lines = []
    for session_id, pages in grouped(customers, lambda page: page.session_id).items():
        log = logs.get(session_id, [])
        public = {event.public_seq: event for event in log if event.public_seq is not None}
        for page in pages:
            lines += [f"{_name(page)} holds {leak}" for leak in _leaks(page, public, hidden)]
    return lines


def _hidden(events: Iterable[StoredEvent]) -> set[UUID | None]:
    """Ids of what customers must never hear of: internal events, and the notes they tell of."""
    internal = [event for event in events if event.audience != "public"]
    return {event.id for event in internal} | {event.message_id for event in internal}


def _leaks(
    page: Page | Stretch, public: dict[int, StoredEvent], hidden: set[UUID | None]
) -> Iterator[str]:
    """What of an answer is not for customers; `public` is the log they may see, by number."""
    if page.as_of is not None and page.as_of > len(public):
        yield f"state {page.as_of} of {len(public)} public events"
    for name in STAFF_FIELD.findall(page.raw):
        yield f"the field {name}"
    for found in ID.findall(page.raw):
        if UUID(found) in hidden:
            yield f"the internal {found}"
    for kind, position, fence in CURSOR.findall(page.raw):
        event = public.get(int(position))
        if kind != "p" or fence != (event.id.hex[-8:] if event else ""):
            yield f"the cursor c1.{kind}.{position}.{fence}"


def _name(page: Page | Stretch) -> str:
    if isinstance(page, Stretch):
        return f"session {page.session_id}: {page.subscriber} after {page.after}"
    return f"session {page.session_id}: {page.of} for {page.viewer} at {page.began}"
