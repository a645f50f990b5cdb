"""Drafts, callers and locked sessions as values, and a batch settled over them without database."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.auth import Caller
from chat_service.config import Limits
from chat_service.errors import ServiceError
from chat_service.events import log
from chat_service.events.schema import Event
from chat_service.messages.batch import Batch, Known, ParticipantKey
from chat_service.messages.drafts import Draft, Key, Sent, fingerprint
from chat_service.schema import (
    ROLE_PERMISSIONS,
    Actor,
    AgentId,
    AuthorType,
    CustomerId,
    InboxId,
    MessageId,
    Permission,
    Role,
    SessionId,
    Status,
    TokenId,
    TokenKind,
    Visibility,
    WorkspaceId,
)
from chat_service.sessions.queries import LockedSession

NOW = datetime(2026, 11, 22, 7, 38, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)
WINDOW = timedelta(hours=24)
"""How long a closed session may be opened again."""
HERE = WorkspaceId(UUID(int=1))
SESSION = SessionId(UUID(int=2))
OTHER_SESSION = SessionId(UUID(int=3))
ADA = CustomerId(UUID(int=4))
BOB = AgentId(UUID(int=5))
EVE = AgentId(UUID(int=6))
BOT = UUID(int=7)
MESSAGE = MessageId(UUID(int=11))
"""One that was stored before."""
NOTE = Visibility.INTERNAL


def customer(customer_id: CustomerId = ADA, *, workspace_id: WorkspaceId = HERE) -> Caller:
    """A person served."""
    return Caller(
        kind=TokenKind.CUSTOMER,
        workspace_id=workspace_id,
        token_id=TokenId(UUID(int=8)),
        actor=Actor(AuthorType.CUSTOMER, customer_id),
        display_name=None,
        permissions=frozenset(),
        customer_id=customer_id,
        inbox_id=InboxId(UUID(int=9)),
    )


def agent(
    agent_id: AgentId = BOB,
    permissions: Collection[Permission] = ROLE_PERMISSIONS[Role.AGENT],
    *,
    workspace_id: WorkspaceId = HERE,
) -> Caller:
    """A member of staff."""
    actor = Actor(AuthorType.AGENT, agent_id)
    token_id = TokenId(UUID(int=10))
    return Caller(
        TokenKind.AGENT, workspace_id, token_id, actor, "Agent", permissions=frozenset(permissions)
    )


def key(permissions: Collection[Permission] = tuple(Permission)) -> Caller:
    """An API key, which writes as a bot."""
    actor = Actor(AuthorType.BOT, BOT)
    return Caller(
        TokenKind.KEY, HERE, TokenId(BOT), actor, "Robot", permissions=frozenset(permissions)
    )


def session(status: Status = Status.QUEUED, **changes: Any) -> LockedSession:
    """Ada's session of a usual inbox, with one event behind it."""
    closed = status is Status.CLOSED
    usual = LockedSession(
        workspace_id=HERE,
        id=SESSION,
        customer_id=ADA,
        team_id=None,
        status=status,
        assignee_id=None,
        queued_at=EARLIER if status is Status.QUEUED else None,
        closed_reason=None,
        closed_at=EARLIER if closed else None,
        waiting_since=None,
        last_seq=0,
        last_public_seq=0,
        last_message_id=None,
        message_count=0,
        version=1,
        updated_at=EARLIER,
        last_activity_at=EARLIER,
        customer_name="Ada",
        reopen_seconds=int(WINDOW.total_seconds()),
        reply_claims=True,
        assignee_only=False,
    )
    return replace(usual, **changes)


def draft(caller: Caller, text: str = "Hello", **changes: Any) -> Draft:
    """A message on its way, with a fingerprint that fits its words."""
    values: dict[str, Any] = {
        "session_id": SESSION,
        "client_message_id": text,
        "content": {"type": "text", "text": text, "format": "plain"},
        "visibility": Visibility.PUBLIC,
        "reply_to_id": None,
        "metadata": {},
        "public_metadata": {},
        **changes,
    }
    made = fingerprint(values["content"], values["visibility"], values["reply_to_id"])
    return Draft(caller=caller, fingerprint=made, **values)


@dataclass
class Outcome:
    """What came of a batch."""

    batch: Batch
    results: list[Sent | ServiceError]
    events: list[Event]

    @property
    def sent(self) -> Sent:
        """The result of the one draft, which was written or a repeat."""
        (result,) = self.results
        assert isinstance(result, Sent), result
        return result

    @property
    def error(self) -> ServiceError:
        """The error of the one draft."""
        (result,) = self.results
        assert isinstance(result, ServiceError), result
        return result

    @property
    def types(self) -> list[str]:
        """The types of the events, in order."""
        return [event.type for event in self.events]

    @property
    def numbers(self) -> list[tuple[int, int | None]]:
        """`seq` and `public_seq` of each stored message, in order."""
        return [(row["seq"], row["public_seq"]) for row in self.batch.messages]


def settle(
    drafts: Draft | Iterable[Draft],
    *sessions: LockedSession,
    stored: Mapping[Key, Mapping[str, Any]] | None = None,
    replies: Mapping[MessageId, tuple[SessionId, Visibility]] | None = None,
    active: Collection[AgentId] = (BOB, EVE),
    participants: Iterable[ParticipantKey] = (),
    limits: Limits | None = None,
) -> Outcome:
    """Settle drafts over locked sessions, numbered as the log numbers them."""
    events: list[Event] = []
    db = AsyncSession()  # bound to no database: the log keeps its list in it

    def record(event: Event, locked: LockedSession) -> None:
        events.append(event)
        log.record(db, event, locked)

    known = Known(
        sessions={locked.id: locked for locked in sessions},
        stored=stored or {},
        replies=replies or {},
        active_agents=dict.fromkeys(active, "Agent"),
        participants=set(participants),
    )
    batch = Batch(known, limits or Limits(), NOW, record)
    one_by_one = [drafts] if isinstance(drafts, Draft) else drafts
    return Outcome(batch, [batch.settle(each) for each in one_by_one], events)
