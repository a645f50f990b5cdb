"""A service without faults, as short as can be: its histories are good by construction.

Each call happens at one moment, the commit; when the caller began and was answered is up to him.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Literal
from uuid import UUID

from chat_service.test.faults.records import (
    Claim,
    Entry,
    History,
    Page,
    Send,
    StoredEvent,
    StoredMessage,
    StoredSession,
    Stretch,
    Viewer,
    number_for,
)

WORKSPACE = UUID(int=7)


class Faultless:
    """What clients noted and what is stored, so far."""

    def __init__(self) -> None:
        self.sends: list[Send] = []
        self.claims: list[Claim] = []
        self.pages: list[Page] = []
        self.stretches: list[Stretch] = []
        self.messages: list[StoredMessage] = []
        self.events: list[StoredEvent] = []
        self.sessions: dict[UUID, StoredSession] = {}
        self._ids = (UUID(int=number) for number in count(1000))

    def history(self) -> History:
        """All of it."""
        return History(
            sends=tuple(self.sends),
            claims=tuple(self.claims),
            pages=tuple(self.pages),
            stretches=tuple(self.stretches),
            messages=tuple(self.messages),
            events=tuple(self.events),
            sessions=tuple(self.sessions.values()),
        )

    def open(self) -> UUID:
        """Start a session, which waits for an agent."""
        session_id = next(self._ids)
        row = StoredSession(session_id, UUID(int=8), session_id.hex, "queued", None, 0, 0)
        self.sessions[session_id] = row
        created = self._event(session_id, "session.created", "workspace")
        self.events.append(created)
        return session_id

    @property
    def sent(self) -> list[StoredMessage]:
        """Messages that somebody sent, so that they may be sent again."""
        return [message for message in self.messages if message.author_slot is not None]

    def send(
        self,
        session_id: UUID,
        slot: str = "customer",
        *,
        began: float,
        ended: float | None = None,
        audience: Literal["public", "internal"] = "public",
    ) -> StoredMessage:
        """Commit a message; `ended` is when the sender was told, None if he never was."""
        event = self._record(session_id, "message.created", audience)
        message = StoredMessage(
            session_id, event.id, event.seq or 0, event.public_seq, slot, f"m-{event.pos}"
        )
        self.messages.append(message)
        self.repeat(message, began=began, ended=ended)
        return message

    def repeat(self, message: StoredMessage, *, began: float, ended: float | None = None) -> None:
        """One more attempt to send what is stored: it changes nothing."""
        session_id, slot, client_message_id = message.key
        assert slot is not None and client_message_id is not None
        send = Send(session_id, slot, client_message_id, began)
        if ended is not None:
            seq = None if slot == "customer" else message.seq
            public_seq = message.public_seq
            send = replace(send, ended=ended, seq=seq, public_seq=public_seq, message_id=message.id)
        self.sends.append(send)

    def lose(self, session_id: UUID, *, began: float) -> None:
        """A send that came to nothing, and whose sender was told nothing."""
        self.sends.append(Send(session_id, "customer", f"lost-{len(self.sends)}", began))

    def say(self, session_id: UUID) -> None:
        """A message of the system, which nobody sent."""
        event = self._record(session_id, "message.created", "public")
        self.messages.append(
            StoredMessage(session_id, event.id, event.seq or 0, event.public_seq, None, None)
        )

    def assign(self, session_id: UUID, agent: int | None) -> None:
        """Give a session to an agent, who is told so, or back to the queue."""
        row = self.sessions[session_id]
        agent_id = None if agent is None else UUID(int=agent)
        event = self._record(session_id, "session.assigned", "public")
        self.events[-1] = replace(event, assignee=(row.assignee_id, agent_id))
        status = "queued" if agent_id is None else "open"
        self.sessions[session_id] = replace(
            self.sessions[session_id], status=status, assignee_id=agent_id
        )
        if agent_id is not None:
            self.claims.append(Claim(session_id, agent_id))

    def read(
        self,
        session_id: UUID,
        viewer: Viewer,
        of: Literal["session", "messages", "events"] = "messages",
        *,
        began: float,
        ended: float,
    ) -> Page:
        """Show all of a session as it is now."""
        tables: dict[str, Sequence[StoredMessage | StoredEvent]]
        tables = {"messages": self.messages, "events": self.events}
        shown = _shown(tables.get(of, ()), session_id, viewer)
        row = self.sessions[session_id]
        as_of = row.last_public_seq if viewer == "customer" else row.last_seq
        raw = " ".join(f'"id":"{row_id}","seq":{number}' for number, row_id in shown)
        page = Page(session_id, viewer, of, began, ended, as_of, shown, raw)
        self.pages.append(page)
        return page

    def tell(
        self, subscriber: str, session_id: UUID, viewer: Viewer, *, resumed: bool = True
    ) -> Stretch:
        """Tell a subscriber what is new to him; who does not resume begins with the state of now."""
        own = [each for each in self.stretches if each.subscriber == subscriber]
        log = _shown(self.events, session_id, viewer)
        after = (own[-1].as_of if own else 0) if resumed else len(log)
        told = log[after:]
        raw = " ".join(f'"id":"{row_id}","seq":{number}' for number, row_id in told)
        stretch = Stretch(subscriber, session_id, viewer, after, told, resumed, raw)
        self.stretches.append(stretch)
        return stretch

    def _record(self, session_id: UUID, kind: str, audience: str) -> StoredEvent:
        """Log a fact of a session under the next numbers."""
        row = self.sessions[session_id]
        public_seq = row.last_public_seq + 1 if audience == "public" else None
        event = replace(
            self._event(session_id, kind, audience), seq=row.last_seq + 1, public_seq=public_seq
        )
        if kind == "message.created":
            event = replace(event, message_id=event.id)
        self.events.append(event)
        self.sessions[session_id] = replace(
            row, last_seq=row.last_seq + 1, last_public_seq=public_seq or row.last_public_seq
        )
        return event

    def _event(self, session_id: UUID, kind: str, audience: str) -> StoredEvent:
        pos = len(self.events) + 1
        return StoredEvent(WORKSPACE, session_id, pos, None, None, audience, next(self._ids), kind)


def _shown(
    rows: Sequence[StoredMessage | StoredEvent], session_id: UUID, viewer: Viewer
) -> tuple[Entry, ...]:
    """What a viewer may see of a session, in his numbering."""
    return tuple(
        (number, row.id)
        for row in rows
        if row.session_id == session_id
        if (number := number_for(viewer, row)) is not None
    )
