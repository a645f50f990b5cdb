"""Tables of staff, of everybody's tokens, and of tries at signing in."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, LargeBinary, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from chat_service.model.base import Base, Tenant
from chat_service.schema import (
    AgentId,
    AgentStatus,
    Availability,
    CustomerId,
    ProcessId,
    Role,
    TicketId,
    TokenId,
    TokenKind,
    WorkspaceId,
)


class Agent(Tenant, Base):
    """A member of staff, who signs in with e-mail and password."""

    __tablename__ = "agents"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="RESTRICT"),
        Index(None, "workspace_id", "email", unique=True),
    )

    id: Mapped[AgentId] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    """Folded to lower case, unique in the workspace."""
    name: Mapped[str] = mapped_column(String(128))
    role: Mapped[Role]
    status: Mapped[AgentStatus]
    availability: Mapped[Availability]
    """What the agent chose; without a living socket he is shown as offline all the same."""
    accepting_chats: Mapped[bool]
    password_hash: Mapped[str] = mapped_column(String(200))
    """argon2id in its own text form."""
    created_at: Mapped[datetime]


class Token(Tenant, Base):
    """A credential: an agent's login, an API key, or the family of a customer's tokens.

    Agents' and keys' secrets are stored as SHA-256. A customer's refresh tokens are derived by HMAC
    from the row and the generation, so the row holds no secret at all.
    """

    __tablename__ = "tokens"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "agent_id"], ["agents.workspace_id", "agents.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["workspace_id", "customer_id"],
            ["customers.workspace_id", "customers.id"],
            ondelete="CASCADE",
        ),
        CheckConstraint("(agent_id IS NOT NULL) = (kind = 'agent')", name="agent"),
        CheckConstraint("(customer_id IS NOT NULL) = (kind = 'customer')", name="customer"),
        CheckConstraint("(secret_hash IS NULL) = (kind = 'customer')", name="secret"),
        Index(None, "workspace_id", "revoked_at"),
        Index(None, "workspace_id", "agent_id"),
        Index(None, "workspace_id", "customer_id"),
    )

    id: Mapped[TokenId] = mapped_column(primary_key=True)
    kind: Mapped[TokenKind]
    agent_id: Mapped[AgentId | None]
    customer_id: Mapped[CustomerId | None]
    name: Mapped[str | None] = mapped_column(String(128))
    scopes: Mapped[list[str]]
    """Permissions of a key; empty for the others."""
    secret_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    generation: Mapped[int]
    """The newest generation of refresh tokens that was used; 0 before the first."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Ticket(Tenant, Base):
    """A one-time right of an agent's login to open a socket; deleted by its use."""

    __tablename__ = "tickets"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "token_id"], ["tokens.workspace_id", "tokens.id"], ondelete="CASCADE"
        ),
        Index(None, "workspace_id", "token_id"),
        Index(None, "workspace_id", "expires_at"),
    )

    id: Mapped[TicketId] = mapped_column(primary_key=True)
    token_id: Mapped[TokenId]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    device_id: Mapped[str | None] = mapped_column(String(64))
    origin: Mapped[str | None] = mapped_column(String(255))
    expires_at: Mapped[datetime]


class ProcessLease(Base):
    """A living process of the service, on whichever machine; renewed while it lives."""

    __tablename__ = "process_leases"

    process_id: Mapped[ProcessId] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class AgentSocket(Tenant, Base):
    """An agent has a socket in a process; counts while that process's lease lives."""

    __tablename__ = "agent_sockets"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "agent_id"], ["agents.workspace_id", "agents.id"], ondelete="CASCADE"
        ),
    )

    agent_id: Mapped[AgentId] = mapped_column(primary_key=True)
    process_id: Mapped[ProcessId] = mapped_column(primary_key=True)


class SignInAttempts(Base):
    """The latest tries at signing in against one account or from one address."""

    __tablename__ = "sign_in_attempts"

    workspace_id: Mapped[WorkspaceId] = mapped_column(Uuid(), primary_key=True)
    """The nil UUID where the tried workspace does not exist."""
    subject: Mapped[str] = mapped_column(String(80), primary_key=True)
    """`address:…` or `account:…`, hashed, so that no address is kept."""
    tries: Mapped[list[float]]
    """Times in seconds since 1970, oldest first, never more than the limit."""
