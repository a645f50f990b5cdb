"""Change sessions: assign, close, reopen, edit fields. Each change is recorded as an event."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import flag_modified

from chat_service.agents import queries as agents
from chat_service.agents.teams import queries as teams
from chat_service.auth import Caller, require
from chat_service.config import Limits
from chat_service.errors import (
    AlreadyAssigned,
    FieldError,
    Forbidden,
    ReopenWindowPassed,
    ValidationFailed,
)
from chat_service.events import log
from chat_service.events.schema import (
    Changes,
    SessionAssigned,
    SessionClosed,
    SessionReopened,
    SessionUpdated,
    audience_of,
)
from chat_service.model import ChatSession, Inbox
from chat_service.schema import (
    Actor,
    AgentId,
    AuthorType,
    ClosedReason,
    Permission,
    Status,
    Visibility,
)
from chat_service.sessions import lifecycle, participants, queries
from chat_service.sessions.lifecycle import Action

SEEN_BY_CUSTOMERS: Final = {"subject"}
STAFF_REASONS: Final = {ClosedReason.RESOLVED, ClosedReason.SPAM}
CODES: Final = {"priority", "team_id"}
"""Fields whose values an event tells: they are no free text."""
SORTED: Final = orjson.OPT_SORT_KEYS


async def claim(
    db: AsyncSession, caller: Caller, session_id: UUID, *, now: datetime
) -> ChatSession:
    """Take a waiting session; raises AlreadyAssigned where somebody else was first."""
    require(caller, Permission.SESSIONS_WRITE)
    agent_id = caller.agent_id
    session = await queries.access(db, caller, session_id, lock=True, rule=queries.claimable_by)
    if session.assignee_id == agent_id and session.status is Status.OPEN:
        return session
    _refuse_other_holder(session, agent_id)
    lifecycle.after(session.status, Action.CLAIM, assigned=True)
    await _assign(db, caller, session, agent_id, now=now)
    return session


async def assign(
    db: AsyncSession, caller: Caller, session: ChatSession, agent_id: AgentId, *, now: datetime
) -> ChatSession:
    """Give a locked session to an agent; a repeat changes nothing. Raises ValidationFailed."""
    lifecycle.after(session.status, Action.ASSIGN, assigned=True)
    if session.assignee_id != agent_id or session.status is not Status.OPEN:
        await _assign(db, caller, session, agent_id, now=now)
    return session


def expect_assignee(session: ChatSession, expected: UUID | None) -> None:
    """Refuse where somebody else than expected holds the session; raises AlreadyAssigned."""
    if session.assignee_id != expected:
        raise AlreadyAssigned(assignee=_shown(session.assignee_id))


async def close(
    db: AsyncSession,
    caller: Caller,
    session_id: UUID,
    *,
    reason: ClosedReason | None,
    now: datetime,
) -> ChatSession:
    """Close a session; a repeat changes and records nothing."""
    if not caller.is_customer:
        require(caller, Permission.SESSIONS_CLOSE)
    session = await queries.access(db, caller, session_id, lock=True)
    closed_reason = _reason(caller, session, reason)
    status = lifecycle.after(session.status, Action.CLOSE, assigned=False)
    if status != session.status:
        changes: Changes = {"status": (session.status, status)}
        session.status, session.closed_reason, session.closed_at = (status, closed_reason, now)
        session.waiting_since = session.queued_at = None
        closed = SessionClosed(**_by(caller, session, now), reason=closed_reason, changes=changes)
        log.record(db, closed, session)
    return session


def _reason(caller: Caller, session: ChatSession, reason: ClosedReason | None) -> ClosedReason:
    """Customers give no reason: leaving the queue is `abandoned`, else the matter is resolved."""
    if caller.is_customer:
        if reason is not None:
            raise Forbidden("Only staff give a reason")
        return ClosedReason.ABANDONED if session.assignee_id is None else ClosedReason.RESOLVED
    if reason is not None and reason not in STAFF_REASONS:
        detail = f"must be one of {', '.join(sorted(STAFF_REASONS))}"
        raise ValidationFailed(errors=[FieldError("/reason", "reserved", detail)])
    return reason or ClosedReason.RESOLVED


async def reopen(
    db: AsyncSession, caller: Caller, session_id: UUID, *, now: datetime
) -> ChatSession:
    """Open a closed session again, inside its inbox's window; raises ReopenWindowPassed."""
    require(caller, Permission.SESSIONS_WRITE)
    session = await queries.access(db, caller, session_id, lock=True)
    if session.status is not Status.CLOSED:
        lifecycle.after(session.status, Action.REOPEN, assigned=session.assignee_id is not None)
        return session
    if not is_reopenable(session.closed_at, await _reopen_seconds(db, session), now=now):
        raise ReopenWindowPassed()
    held = await _still_held(db, session)
    changes = bring_back(session, Action.REOPEN, held=held, now=now)
    log.record(db, SessionReopened(**_by(caller, session, now), changes=changes), session)
    return session


def is_reopenable(closed_at: datetime | None, window: int, *, now: datetime) -> bool:
    """Whether a session closed then may be opened again; `window` is in seconds."""
    return closed_at is not None and now - closed_at <= timedelta(seconds=window)


def bring_back(session: Any, action: Action, *, held: bool, now: datetime) -> Changes:
    """Set a session that rested to open, or to queued where nobody who can answer holds it."""
    status = lifecycle.after(session.status, action, assigned=held)
    changes: Changes = {"status": (session.status, status)}
    session.status = status
    session.closed_reason = session.closed_at = None
    if not held:
        if session.assignee_id is not None:
            changes["assignee"] = (str(session.assignee_id), None)
        session.assignee_id, session.queued_at = None, now
    return changes


async def patch(
    db: AsyncSession,
    caller: Caller,
    session: ChatSession,
    fields: dict[str, Any],
    *,
    limits: Limits,
    now: datetime,
) -> ChatSession:
    """Change free fields of a locked session; only real changes are recorded.

    `fields` is a merge patch: attributes that it does not name stay, null removes one. Raises
    ValidationFailed.
    """
    if "custom_attributes" in fields:
        attributes = _merge(session.custom_attributes, fields["custom_attributes"])
        check_attributes(attributes, limits)
        fields["custom_attributes"] = attributes
    if "tags" in fields:
        fields["tags"] = list(dict.fromkeys(fields["tags"] or []))
    changed = [name for name, value in fields.items() if _differ(getattr(session, name), value)]
    if not changed:
        return session
    if "team_id" in changed:
        await require_team(db, caller, fields["team_id"])
    codes = {name: _codes(session, name, fields[name]) for name in changed if name in CODES}
    for name in changed:
        setattr(session, name, fields[name])
        flag_modified(session, name)
    seen = bool(SEEN_BY_CUSTOMERS & set(changed))
    updated = SessionUpdated(
        **_by(caller, session, now),
        audience=audience_of(Visibility.PUBLIC if seen else Visibility.INTERNAL),
        changed=sorted(changed),
        changes=codes,
    )
    log.record(db, updated, session)
    return session


async def require_team(db: AsyncSession, caller: Caller, team_id: UUID | None) -> None:
    """Refuse a team that does not exist, None is none; raises ValidationFailed.

    Its row is locked as a foreign key locks it, so that nobody removes the team meanwhile.
    """
    if team_id is not None and not await teams.exists(db, caller.workspace_id, team_id):
        detail = "is not a team of this workspace"
        raise ValidationFailed(errors=[FieldError("/team_id", "unknown_team", detail)])


def _codes(session: ChatSession, name: str, value: Any) -> tuple[Any, Any]:
    """The old and the new value of a field, as an event holds them."""
    before = getattr(session, name)
    return (_text(before), _text(value)) if name == "team_id" else (before, value)


def _merge(attributes: dict[str, Any], given: dict[str, Any] | None) -> dict[str, Any]:
    """RFC 7396 on a flat object."""
    if given is None:
        return {}
    removed = {name for name, value in given.items() if value is None}
    return {name: value for name, value in (attributes | given).items() if name not in removed}


def _differ(old: Any, new: Any) -> bool:
    """Whether two values are different JSON: 1 and true are, though Python calls them equal."""
    before, after = (orjson.dumps(each, default=str, option=SORTED) for each in (old, new))
    return before != after


def check_attributes(attributes: dict[str, Any] | None, limits: Limits) -> None:
    """Bound the size of free data; raises ValidationFailed."""
    if attributes and len(orjson.dumps(attributes)) > limits.attributes_bytes:
        detail = f"must have at most {limits.attributes_bytes} bytes as JSON"
        raise ValidationFailed(errors=[FieldError("/custom_attributes", "too_long", detail)])


async def _assign(
    db: AsyncSession, caller: Caller, session: ChatSession, agent_id: AgentId, *, now: datetime
) -> None:
    active = await agents.lock_active(db, session.workspace_id, [agent_id])
    if agent_id not in active:
        detail = "is not an active agent of this workspace"
        raise ValidationFailed(errors=[FieldError("/assignee", "unknown_agent", detail)])
    changes: Changes = {"assignee": (_text(session.assignee_id), str(agent_id))}
    if session.status is not Status.OPEN:
        changes["status"] = (session.status, Status.OPEN)
    session.assignee_id, session.status, session.queued_at = agent_id, Status.OPEN, None
    log.record(db, SessionAssigned(**_by(caller, session, now), changes=changes), session)
    await participants.join(db, caller, session, Actor(AuthorType.AGENT, agent_id), now=now)


async def _reopen_seconds(db: AsyncSession, session: ChatSession) -> int:
    query = select(Inbox.reopen_seconds).where(
        Inbox.workspace_id == session.workspace_id, Inbox.id == session.inbox_id
    )
    return (await db.scalars(query)).one()


async def _still_held(db: AsyncSession, session: ChatSession) -> bool:
    if session.assignee_id is None:
        return False
    return bool(await agents.lock_active(db, session.workspace_id, [session.assignee_id]))


def _refuse_other_holder(session: ChatSession, agent_id: AgentId) -> None:
    held = session.assignee_id not in (None, agent_id)
    if held and session.status not in (Status.CLOSED, Status.QUEUED):
        raise AlreadyAssigned(assignee=_shown(session.assignee_id))


def _by(caller: Caller, session: ChatSession, now: datetime) -> dict[str, Any]:
    return {
        "workspace_id": session.workspace_id,
        "session_id": session.id,
        "actor": caller.actor,
        "at": now,
    }


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _shown(agent_id: UUID | None) -> dict[str, str] | None:
    return None if agent_id is None else {"type": "agent", "id": str(agent_id)}
