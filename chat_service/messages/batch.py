"""Decide what a batch of drafts does to its locked sessions. Pure: no I/O, no clock.

A draft is settled in the order of arrival: a repeat gets the first one's message, a draft that may
not be sent gets its own error before any number is given, the rest become rows and events.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from chat_service.auth import Caller
from chat_service.config import Limits
from chat_service.errors import (
    AlreadyAssigned,
    ClientMessageIdReused,
    FieldError,
    NotAssigned,
    NotFound,
    ServiceError,
    SessionClosed,
    SessionFull,
    ValidationFailed,
)
from chat_service.events.schema import (
    Changes,
    Event,
    MessageCreated,
    ParticipantJoined,
    SessionAssigned,
    SessionReopened,
    SessionRequeued,
    SessionUpdated,
    audience_of,
)
from chat_service.messages.drafts import Draft, Key, Sent
from chat_service.schema import (
    Actor,
    AgentId,
    Audience,
    AuthorType,
    EventId,
    MessageId,
    Permission,
    SessionId,
    Status,
    Visibility,
    new_id,
)
from chat_service.sessions.lifecycle import Action
from chat_service.sessions.marks import Mark, Point
from chat_service.sessions.queries import LockedSession, may_see
from chat_service.sessions.services import bring_back, is_reopenable

ParticipantKey = tuple[SessionId, AuthorType, UUID]


@dataclass(frozen=True, slots=True)
class Known:
    """What the database said about a batch, read under the locks."""

    sessions: Mapping[SessionId, LockedSession]
    stored: Mapping[Key, Mapping[str, Any]]
    replies: Mapping[MessageId, tuple[SessionId, Visibility]]
    active_agents: Mapping[AgentId, str]
    participants: set[ParticipantKey]


@dataclass(slots=True)
class Batch:
    """Drafts being settled, and the rows that come of them."""

    known: Known
    limits: Limits
    now: datetime
    record: Callable[[Event, LockedSession], None]
    messages: list[dict[str, Any]] = field(default_factory=list)
    joined: list[ParticipantKey] = field(default_factory=list)
    marks: dict[ParticipantKey, Mark] = field(default_factory=dict)
    written: dict[Key, dict[str, Any]] = field(default_factory=dict)
    changed: dict[SessionId, LockedSession] = field(default_factory=dict)

    def settle(self, draft: Draft) -> Sent | ServiceError:
        """The result of one draft, or its own error."""
        try:
            session = self._access(draft)
            return self._repeat(draft, session) or self._write(draft, session)
        except ServiceError as error:
            return error

    def _access(self, draft: Draft) -> LockedSession:
        session = self.known.sessions.get(draft.session_id)
        if session is None or not may_see(
            draft.caller,
            workspace_id=session.workspace_id,
            customer_id=session.customer_id,
            assignee_id=session.assignee_id,
            team_id=session.team_id,
        ):
            raise NotFound()
        return session

    def _repeat(self, draft: Draft, session: LockedSession) -> Sent | None:
        """A repeat is answered before any check of states, also in a closed session."""
        row = self.known.stored.get(draft.key) or self.written.get(draft.key)
        if row is None:
            return None
        if row["fingerprint"] not in (None, draft.fingerprint):
            raise ClientMessageIdReused()
        return Sent(row, _author_name(draft, session), repeated=True)

    def _write(self, draft: Draft, session: LockedSession) -> Sent:
        self._check(draft, session)
        if draft.visibility is Visibility.PUBLIC:
            self._move(draft, session)
        row = self._number(draft, session)
        self.messages.append(row)
        self.written[draft.key] = row
        self.changed[session.id] = session
        return Sent(row, _author_name(draft, session), repeated=False)

    def _check(self, draft: Draft, session: LockedSession) -> None:
        """Refuse before any number is given and before anything has changed."""
        if session.message_count >= self.limits.session_messages:
            raise SessionFull()
        self._check_reply(draft)
        if draft.visibility is Visibility.INTERNAL:
            return
        if session.status is Status.CLOSED:
            reopen = is_reopenable(session.closed_at, session.reopen_seconds, now=self.now)
            if not (reopen and draft.caller.is_customer):
                raise SessionClosed(reopen=reopen)
        elif not draft.caller.is_customer:
            self._check_holder(draft.caller, session)

    def _check_reply(self, draft: Draft) -> None:
        if draft.reply_to_id is None:
            return
        found = self.known.replies.get(draft.reply_to_id)
        hidden = found is not None and (
            found[0] != draft.session_id
            or (draft.visibility is Visibility.PUBLIC and found[1] is Visibility.INTERNAL)
        )
        if found is None or hidden:
            detail = "is no message of this session that may be answered here"
            raise ValidationFailed(errors=[FieldError("/reply_to_id", "unknown_message", detail)])

    def _check_holder(self, caller: Caller, session: LockedSession) -> None:
        """In somebody else's session, only who may assign and where the inbox allows it."""
        holder = session.assignee_id
        if holder is None:
            if caller.actor.type is AuthorType.AGENT and not (
                session.reply_claims and caller.actor.id in self.known.active_agents
            ):
                raise NotAssigned()
        elif holder != caller.actor.id:
            if session.assignee_only or Permission.SESSIONS_ASSIGN not in caller.permissions:
                raise AlreadyAssigned(assignee={"type": "agent", "id": str(holder)})

    def _move(self, draft: Draft, session: LockedSession) -> None:
        """What a public message does to its session before it is written."""
        if draft.caller.is_customer:
            self._wake(draft, session)
            session.waiting_since = session.waiting_since or self.now
            return
        if draft.caller.actor.type is AuthorType.AGENT:
            session.waiting_since = None
            if session.assignee_id is None:
                self._claim(draft, session)
        self._join(draft, session)

    def _wake(self, draft: Draft, session: LockedSession) -> None:
        """A customer's message brings a resting session back, closed ones inside the window."""
        before = session.status
        if before in (Status.QUEUED, Status.OPEN):
            return
        held = session.assignee_id is not None and session.assignee_id in self.known.active_agents
        changes = bring_back(session, Action.CUSTOMER_WRITES, held=held, now=self.now)
        if before is Status.CLOSED:
            self._record(SessionReopened, draft, session, changes=changes)
        elif held:
            self._record(
                SessionUpdated,
                draft,
                session,
                audience=Audience.INTERNAL,
                changed=["status"],
                changes=changes,
            )
        else:
            self._record(SessionRequeued, draft, session, changes=changes)

    def _claim(self, draft: Draft, session: LockedSession) -> None:
        agent_id = draft.caller.agent_id
        changes: Changes = {
            "assignee": (None, str(agent_id)),
            "status": (session.status, Status.OPEN),
        }
        session.assignee_id, session.status, session.queued_at = (agent_id, Status.OPEN, None)
        self._record(SessionAssigned, draft, session, changes=changes)

    def _join(self, draft: Draft, session: LockedSession) -> None:
        actor = draft.caller.actor
        key = (session.id, actor.type, UUID(str(actor.id)))
        if key not in self.known.participants:
            self.known.participants.add(key)
            self.joined.append(key)
            self._record(ParticipantJoined, draft, session, participant=actor)

    def _number(self, draft: Draft, session: LockedSession) -> dict[str, Any]:
        """Record the message's event, whose numbers become the message's own."""
        message_id = MessageId(new_id())
        public = draft.visibility is Visibility.PUBLIC
        self._record(
            MessageCreated,
            draft,
            session,
            id=EventId(message_id),
            message_id=message_id,
            audience=audience_of(draft.visibility),
        )
        if public:
            session.message_count += 1
            session.last_message_id = message_id
        self._mark(draft, session)
        return {
            "workspace_id": session.workspace_id,
            "id": message_id,
            "session_id": session.id,
            "visibility": draft.visibility,
            "seq": session.last_seq,
            "public_seq": session.last_public_seq if public else None,
            "author_slot": draft.caller.actor.slot,
            "author_type": draft.caller.actor.type,
            "author_id": draft.caller.actor.id,
            "client_message_id": draft.client_message_id,
            "fingerprint": draft.fingerprint,
            "content": draft.content,
            "reply_to_id": draft.reply_to_id,
            "metadata": draft.metadata,
            "public_metadata": draft.public_metadata,
            "version": 1,
            "created_at": self.now,
            "edited_at": None,
            "deleted_at": None,
        }

    def _mark(self, draft: Draft, session: LockedSession) -> None:
        """Whoever writes has read what stands before; a note shows a customer nothing of it."""
        actor, public = draft.caller.actor, draft.visibility is Visibility.PUBLIC
        here = Point(session.last_seq, session.last_public_seq if public else 0)
        mark = Mark(session.workspace_id, session.id, actor, read=here, delivered=here)
        key = (session.id, actor.type, UUID(str(actor.id)))
        self.marks[key] = mark.merged(self.marks.get(key, mark))

    def _record(
        self, kind: type[Event], draft: Draft, session: LockedSession, **fields: Any
    ) -> None:
        event = kind(
            workspace_id=session.workspace_id,
            session_id=session.id,
            actor=draft.caller.actor,
            at=self.now,
            **fields,
        )
        self.record(event, session)


def agents_concerned(
    drafts: list[Draft], sessions: Mapping[SessionId, LockedSession]
) -> set[AgentId]:
    """Whom a batch may make or keep assignee: they are locked before it is settled."""
    concerned: set[AgentId] = set()
    for draft in drafts:
        session = sessions.get(draft.session_id)
        if session is None or draft.visibility is Visibility.INTERNAL:
            continue
        resting = session.status not in (Status.QUEUED, Status.OPEN)
        if draft.caller.is_customer and resting and session.assignee_id is not None:
            concerned.add(session.assignee_id)
        elif draft.caller.actor.type is AuthorType.AGENT and session.assignee_id is None:
            concerned.add(draft.caller.agent_id)
    return concerned


def staff_writing(drafts: list[Draft]) -> set[tuple[SessionId, Actor]]:
    """Members of staff who write publicly, who may have to join as participants."""
    return {
        (draft.session_id, draft.caller.actor)
        for draft in drafts
        if draft.visibility is Visibility.PUBLIC and not draft.caller.is_customer
    }


def _author_name(draft: Draft, session: LockedSession) -> str | None:
    return session.customer_name if draft.caller.is_customer else draft.caller.display_name
