"""Start a session, once for each `client_session_id`, whatever is repeated or raced."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import queries as agents
from chat_service.auth import Caller, require
from chat_service.config import Limits
from chat_service.customers import queries as customers
from chat_service.errors import (
    ClientMessageIdReused,
    ClientSessionIdReused,
    FieldError,
    Forbidden,
    ServiceError,
    TooManyOpenSessions,
    Unauthenticated,
    ValidationFailed,
)
from chat_service.events import log
from chat_service.events.schema import SessionCreated
from chat_service.messages import services as messages
from chat_service.messages.drafts import Draft, Sent
from chat_service.model import ChatMessage, ChatSession, Customer, Participant
from chat_service.schema import (
    Actor,
    AuthorType,
    Channel,
    Permission,
    SessionId,
    Status,
    TeamId,
    new_id,
)
from chat_service.sessions import services as sessions
from chat_service.sessions.participants import new_row
from chat_service.sessions.queries import may_see, visible_to

READ: Final = {
    Permission.SESSIONS_READ_ALL,
    Permission.SESSIONS_READ_TEAM,
    Permission.SESSIONS_READ_ASSIGNED,
    Permission.SESSIONS_READ_UNASSIGNED,
}


@dataclass(frozen=True, slots=True)
class Start:
    """What a start asks for, beside its first message."""

    client_session_id: str
    resume: bool
    subject: str | None
    custom_attributes: dict[str, Any]
    team_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The session of a start, and whether this start made it."""

    session_id: SessionId
    message: Sent | None
    created: bool


class Counts(Protocol):
    """Lets a start bring so much and no more; both raise RateLimited."""

    def session(self) -> None: ...
    def message(self, session_id: SessionId) -> None: ...


def customer_of(
    caller: Caller,
    customer_id: UUID | None,
    attributes: dict[str, Any],
    team_id: UUID | None = None,
) -> UUID:
    """Whose session is started; raises Forbidden or ValidationFailed."""
    if caller.is_customer:
        if customer_id not in (None, caller.customer_id) or attributes or team_id is not None:
            raise Forbidden("Only staff name a customer or a team, or give attributes")
        return UUID(str(caller.customer_id))
    require(caller, Permission.SESSIONS_WRITE)
    if not caller.permissions & READ:
        raise Forbidden("This needs a permission to read sessions")
    if customer_id is None:
        detail = "staff must name the customer"
        raise ValidationFailed(errors=[FieldError("/customer_id", "missing", detail)])
    return customer_id


async def start(
    db: AsyncSession,
    caller: Caller,
    customer_id: UUID,
    start: Start,
    first: Draft | None,
    counts: Counts,
    *,
    limits: Limits,
    now: datetime,
) -> Started:
    """Start or find a session under the lock of its customer.

    `first` may carry any session's id: it is written into the one that is started. Raises NotFound,
    RateLimited, TooManyOpenSessions, ClientSessionIdReused, ClientMessageIdReused, ValidationFailed
    for a team that does not exist, Forbidden for staff who could not read the new session, and what
    a send raises.
    """
    sessions.check_attributes(start.custom_attributes, limits)
    if caller.is_customer:
        customer = await customers.of_caller(db, caller, lock=True)
    else:
        customer = await customers.access(db, caller.workspace_id, customer_id, lock=True)
    found = await _repeated(db, customer, start, first)
    created = False
    if found is None and start.resume:
        found = await _unclosed(db, caller, customer)
    elif found is not None and first is not None:
        await _require_same_message(db, found, first)
    if found is None:
        counts.session()
        found = await _create(db, caller, customer, start, limits=limits, now=now)
        created = True
    message = None
    if first is not None:
        counts.message(found)
        message = await _first_message(db, found, first, limits=limits, now=now)
    if created and caller.actor.type is AuthorType.AGENT:
        await _require_active(db, caller)
    return Started(found, message, created)


async def _require_active(db: AsyncSession, caller: Caller) -> None:
    """Whoever holds the new session must still be able to; agents are locked after sessions."""
    agent_id = caller.agent_id
    if not await agents.lock_active(db, caller.workspace_id, [agent_id]):
        raise Unauthenticated()


async def _repeated(
    db: AsyncSession, customer: Customer, start: Start, first: Draft | None
) -> SessionId | None:
    """The session an earlier copy of this start made or resumed."""
    by_key = select(ChatSession.id).where(
        ChatSession.workspace_id == customer.workspace_id,
        ChatSession.customer_id == customer.id,
        ChatSession.client_session_id == start.client_session_id,
    )
    found = (await db.scalars(by_key)).one_or_none()
    if found is not None or first is None:
        return found
    by_message = (
        select(ChatSession.id)
        .join(
            ChatMessage,
            and_(
                ChatMessage.workspace_id == ChatSession.workspace_id,
                ChatMessage.session_id == ChatSession.id,
            ),
        )
        .where(
            ChatSession.workspace_id == customer.workspace_id,
            ChatSession.customer_id == customer.id,
            ChatMessage.author_slot == first.caller.actor.slot,
            ChatMessage.client_message_id == first.client_message_id,
        )
        .order_by(ChatMessage.created_at.desc())
        .limit(1)
    )
    return (await db.scalars(by_message)).one_or_none()


async def _require_same_message(db: AsyncSession, session_id: SessionId, first: Draft) -> None:
    """A repeated start must bring the message it brought first."""
    query = select(ChatMessage.id).where(
        ChatMessage.workspace_id == first.caller.workspace_id,
        ChatMessage.session_id == session_id,
        ChatMessage.author_slot == first.caller.actor.slot,
        ChatMessage.client_message_id == first.client_message_id,
    )
    if (await db.scalars(query)).one_or_none() is None:
        raise ClientSessionIdReused()


async def _unclosed(db: AsyncSession, caller: Caller, customer: Customer) -> SessionId | None:
    query = (
        select(ChatSession.id)
        .where(*_open_sessions(customer), visible_to(caller))
        .order_by(ChatSession.last_activity_at.desc(), ChatSession.id.desc())
        .limit(1)
    )
    return (await db.scalars(query)).one_or_none()


def _open_sessions(customer: Customer) -> tuple[Any, ...]:
    return (
        ChatSession.workspace_id == customer.workspace_id,
        ChatSession.customer_id == customer.id,
        ChatSession.status != Status.CLOSED,
    )


async def _create(
    db: AsyncSession,
    caller: Caller,
    customer: Customer,
    start: Start,
    *,
    limits: Limits,
    now: datetime,
) -> SessionId:
    count = select(func.count()).select_from(ChatSession).where(*_open_sessions(customer))
    if (await db.scalars(count)).one() >= limits.open_sessions:
        raise TooManyOpenSessions()
    await sessions.require_team(db, caller, start.team_id)
    by_agent = caller.actor.type is AuthorType.AGENT
    holder = caller.agent_id if by_agent else None
    team = None if start.team_id is None else TeamId(start.team_id)
    if not caller.is_customer and not may_see(
        caller,
        workspace_id=customer.workspace_id,
        customer_id=customer.id,
        assignee_id=holder,
        team_id=team,
    ):
        raise Forbidden("You may not read the session that you would start")
    session = ChatSession(
        workspace_id=customer.workspace_id,
        id=SessionId(new_id()),
        inbox_id=customer.inbox_id,
        customer_id=customer.id,
        client_session_id=start.client_session_id,
        previous_session_id=await _previous(db, customer),
        status=Status.OPEN if by_agent else Status.QUEUED,
        channel=Channel.WEB if caller.is_customer else Channel.API,
        subject=start.subject,
        assignee_id=holder,
        team_id=team,
        queued_at=None if by_agent else now,
        tags=[],
        custom_attributes=start.custom_attributes,
        last_seq=0,
        last_public_seq=0,
        message_count=0,
        version=1,
        created_at=now,
        updated_at=now,
        last_activity_at=now,
    )
    db.add(session)
    await db.flush()
    actors = [Actor(AuthorType.CUSTOMER, customer.id), *([caller.actor] if by_agent else [])]
    rows = [new_row(session.workspace_id, session.id, actor, now=now) for actor in actors]
    db.add_all(Participant(**row) for row in rows)
    created = SessionCreated(
        workspace_id=session.workspace_id, session_id=session.id, actor=caller.actor, at=now
    )
    log.record(db, created)
    await db.flush()
    return session.id


async def _previous(db: AsyncSession, customer: Customer) -> SessionId | None:
    query = (
        select(ChatSession.id)
        .where(
            ChatSession.workspace_id == customer.workspace_id,
            ChatSession.customer_id == customer.id,
        )
        .order_by(ChatSession.created_at.desc(), ChatSession.id.desc())
        .limit(1)
    )
    return (await db.scalars(query)).one_or_none()


async def _first_message(
    db: AsyncSession, session_id: SessionId, first: Draft, *, limits: Limits, now: datetime
) -> Sent:
    draft = replace(first, session_id=session_id)
    result = (await messages.write(db, [draft], limits=limits, now=now))[0]
    if isinstance(result, ClientMessageIdReused):
        raise ClientSessionIdReused()
    if isinstance(result, ValidationFailed):
        raise result.inside("initial_message")
    if isinstance(result, ServiceError):
        raise result
    return result
