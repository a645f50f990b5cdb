"""Checks of live delivery: each subscriber is told each event once, in order, and to the end."""

from uuid import UUID

from chat_service.test.faults.order import grouped
from chat_service.test.faults.reads import numbered
from chat_service.test.faults.records import Entry, History, Stretch, Viewer

Log = dict[tuple[UUID, Viewer], list[Entry]]


def subscribers_are_told_the_log(history: History) -> list[str]:
    """Over each connection comes what is stored for its audience, from where it goes on."""
    logs = _logs(history)
    lines = []
    for stretch in history.stretches:
        stored = logs[stretch.session_id, stretch.viewer][stretch.after :]
        for place, told in enumerate(stretch.told):
            kept = stored[place] if place < len(stored) else None
            if told != kept:
                lines.append(f"{_name(stretch)}: told {told} where {kept} is stored")
                break
    return lines


def subscribers_go_on_where_they_were(history: History) -> list[str]:
    """Whoever resumes goes on behind the last thing told; whoever begins anew never goes back."""
    lines = []
    for stretches in _subscribers(history):
        known = 0
        for stretch in stretches:
            if stretch.resumed and stretch.after != known:
                lines.append(f"{_name(stretch)}: resumed, and was told up to {known}")
            elif stretch.after < known:
                lines.append(f"{_name(stretch)}: began anew behind {known}")
            known = stretch.as_of
    return lines


def subscribers_hear_to_the_end(history: History) -> list[str]:
    """Everybody has heard everything when the run is over."""
    logs = _logs(history)
    return [
        f"{_name(last)}: heard up to {last.as_of} of {end}"
        for *_, last in _subscribers(history)
        if last.as_of < (end := len(logs[last.session_id, last.viewer]))
    ]


def _subscribers(history: History) -> list[list[Stretch]]:
    return list(grouped(history.stretches, lambda stretch: stretch.subscriber).values())


def _logs(history: History) -> Log:
    """What is stored for each audience that was told of a session, by number."""
    events = history.logs()
    wanted = {(stretch.session_id, stretch.viewer) for stretch in history.stretches}
    return {
        (session_id, viewer): numbered(events.get(session_id, []), viewer)
        for session_id, viewer in wanted
    }


def _name(stretch: Stretch) -> str:
    return f"session {stretch.session_id}: {stretch.subscriber} after {stretch.after}"
