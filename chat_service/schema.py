"""Shared vocabulary: ids, states, roles, permissions, actors, cursors and the clock.

Owns words that every part uses; leaves tables to `model`, events to `events.schema`, wire models to
each folder's `transport`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Literal, NewType
from uuid import UUID

from uuid_utils.compat import uuid7

WorkspaceId = NewType("WorkspaceId", UUID)
InboxId = NewType("InboxId", UUID)
CustomerId = NewType("CustomerId", UUID)
AgentId = NewType("AgentId", UUID)
TokenId = NewType("TokenId", UUID)
SessionId = NewType("SessionId", UUID)
MessageId = NewType("MessageId", UUID)
EventId = NewType("EventId", UUID)
TicketId = NewType("TicketId", UUID)
RoleId = NewType("RoleId", UUID)
TeamId = NewType("TeamId", UUID)
LinkId = NewType("LinkId", UUID)
InboxKeyId = NewType("InboxKeyId", UUID)
AuditId = NewType("AuditId", UUID)
ProcessId = NewType("ProcessId", UUID)

Clock = Callable[[], datetime]
"""Gives the present time, aware and in UTC."""


def utc_now() -> datetime:
    """The clock of the service outside tests."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """A new UUIDv7 (RFC 9562). It shows its time of creation and gives no order between processes."""
    return uuid7()


class Status(StrEnum):
    """Where a session stands. Customers see queued, open and closed only."""

    QUEUED = "queued"
    OPEN = "open"
    PENDING = "pending"
    SNOOZED = "snoozed"
    CLOSED = "closed"


View = Literal["mine", "team", "unassigned", "all"]
"""Which sessions the agents' list shows."""


class ClosedReason(StrEnum):
    """Why a session ended."""

    RESOLVED = "resolved"
    ABANDONED = "abandoned"
    IDLE_TIMEOUT = "idle_timeout"
    SPAM = "spam"
    MERGED = "merged"


class Priority(StrEnum):
    """How urgent a session is, set by staff."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"


class Channel(StrEnum):
    """How a session came in: by the customer's own token, or through the API by staff."""

    WEB = "web"
    API = "api"


class AuthorType(StrEnum):
    """Who may write a message."""

    CUSTOMER = "customer"
    AGENT = "agent"
    BOT = "bot"
    SYSTEM = "system"


class Visibility(StrEnum):
    """Whether the customer may see a message or participant. A note is an internal message."""

    PUBLIC = "public"
    INTERNAL = "internal"


class Audience(StrEnum):
    """Who may read an event. `workspace` events belong to no session and have no `seq`."""

    PUBLIC = "public"
    INTERNAL = "internal"
    WORKSPACE = "workspace"


class TokenKind(StrEnum):
    """What a row of `tokens` stands for."""

    AGENT = "agent"
    KEY = "key"
    CUSTOMER = "customer"


class AgentStatus(StrEnum):
    """Whether an agent may sign in and be assigned. Who is invited has no password yet."""

    INVITED = "invited"
    ACTIVE = "active"
    DEACTIVATED = "deactivated"


class Availability(StrEnum):
    """What an agent tells others of himself."""

    ONLINE = "online"
    AWAY = "away"
    BUSY = "busy"
    OFFLINE = "offline"


class LinkPurpose(StrEnum):
    """What a one-time link is for."""

    INVITATION = "invitation"
    RECOVERY = "recovery"


class KeyAlgorithm(StrEnum):
    """How a host site signs who its visitor is (RFC 7518, RFC 8037)."""

    HS256 = "HS256"
    ED25519 = "EdDSA"


class Outcome(StrEnum):
    """Whether an act that is audited was done, or refused."""

    DONE = "done"
    REFUSED = "refused"


class ReaderStatus(StrEnum):
    """Whether a follower of the log goes on. One that fell too far behind has expired."""

    ACTIVE = "active"
    DISABLED = "disabled"
    EXPIRED = "expired"


class Permission(StrEnum):
    """What a member of staff or a key may do."""

    SESSIONS_READ_ALL = "sessions:read_all"
    SESSIONS_READ_TEAM = "sessions:read_team"
    SESSIONS_READ_ASSIGNED = "sessions:read_assigned"
    SESSIONS_READ_UNASSIGNED = "sessions:read_unassigned"
    SESSIONS_WRITE = "sessions:write"
    SESSIONS_ASSIGN = "sessions:assign"
    SESSIONS_CLOSE = "sessions:close"
    MESSAGES_WRITE = "messages:write"
    MESSAGES_WRITE_NOTE = "messages:write_note"
    MESSAGES_DELETE = "messages:delete"
    CUSTOMERS_READ = "customers:read"
    CUSTOMERS_WRITE = "customers:write"
    CUSTOMERS_MERGE = "customers:merge"
    CUSTOMERS_BLOCK = "customers:block"
    CUSTOMERS_EXPORT = "customers:export"
    CUSTOMERS_ERASE = "customers:erase"
    AGENTS_MANAGE = "agents:manage"
    ROLES_MANAGE = "roles:manage"
    TEAMS_MANAGE = "teams:manage"
    INBOXES_MANAGE = "inboxes:manage"
    CANNED_RESPONSES_MANAGE = "canned_responses:manage"
    WEBHOOKS_MANAGE = "webhooks:manage"
    SETTINGS_MANAGE = "settings:manage"
    REPORTS_READ = "reports:read"
    AUDIT_READ = "audit:read"


class Role(StrEnum):
    """A named set of permissions. Those of `custom` stand in a row of the workspace's own."""

    OWNER = "owner"
    ADMIN = "admin"
    SUPERVISOR = "supervisor"
    AGENT = "agent"
    BOT = "bot"
    VIEWER = "viewer"
    CUSTOM = "custom"


_P = Permission
ROLE_PERMISSIONS: Final[dict[Role, frozenset[Permission]]] = {
    Role.OWNER: frozenset(Permission),
    Role.ADMIN: frozenset(Permission),
    Role.SUPERVISOR: frozenset(
        permission
        for permission in Permission
        if permission.startswith(("sessions:", "messages:", "customers:", "canned_", "reports:"))
        and permission is not _P.CUSTOMERS_ERASE
    ),
    Role.AGENT: frozenset(
        {
            _P.SESSIONS_READ_TEAM,
            _P.SESSIONS_READ_ASSIGNED,
            _P.SESSIONS_READ_UNASSIGNED,
            _P.SESSIONS_WRITE,
            _P.SESSIONS_ASSIGN,
            _P.SESSIONS_CLOSE,
            _P.MESSAGES_WRITE,
            _P.MESSAGES_WRITE_NOTE,
            _P.CUSTOMERS_READ,
            _P.CUSTOMERS_WRITE,
        }
    ),
    Role.BOT: frozenset(
        {_P.SESSIONS_READ_ASSIGNED, _P.SESSIONS_ASSIGN, _P.MESSAGES_WRITE, _P.MESSAGES_WRITE_NOTE}
    ),
    Role.VIEWER: frozenset({_P.SESSIONS_READ_ALL, _P.CUSTOMERS_READ, _P.REPORTS_READ}),
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something: the author of a message, the cause of an event. `system` has no id."""

    type: AuthorType
    id: UUID | None

    @property
    def slot(self) -> str | None:
        """The author slot, inside which a `client_message_id` is unique; none for the system.

        A customer's slot is the same whatever id that person has by now, so a message retried
        after the customer was identified is still one message.
        """
        if self.type is AuthorType.CUSTOMER:
            return "customer"
        return f"{self.type}:{self.id}" if self.id else None


class CursorKind(StrEnum):
    """Which numbering a log cursor counts: staff `seq`, `public_seq`, or workspace `pos`."""

    STAFF = "s"
    PUBLIC = "p"
    WORKSPACE = "w"


_CURSOR = re.compile(r"c1\.([spw])\.(0|[1-9]\d{0,15})(?:\.([0-9a-f]{8}))?")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in a log and its fence: the end of the id of the event that stands there.

    The fence tells a restored or failed-over log from the one the cursor was made for. Position 0
    needs none, and a bare number given by a client has none.
    """

    kind: CursorKind
    position: int
    fence: str | None

    def __str__(self) -> str:
        end = f".{self.fence}" if self.fence else ""
        return f"c1.{self.kind}.{self.position}{end}"

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read a cursor; raises ValueError for anything this service never gave out."""
        match = _CURSOR.fullmatch(text)
        if match is None or (match[3] is None) != (match[2] == "0"):
            raise ValueError("not a cursor of this service")
        return cls(CursorKind(match[1]), int(match[2]), match[3])


def fence(event_id: UUID) -> str:
    """The last 8 hexadecimal digits of an event's id."""
    return event_id.hex[-8:]
