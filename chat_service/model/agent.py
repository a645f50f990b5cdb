"""Tables of staff with roles and teams, of everybody's tokens, and of tries at signing in."""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.orm import Mapped, mapped_column

from chat_service.model.base import Base, Tenant
from chat_service.schema import (
    AgentId,
    AgentStatus,
    Availability,
    CustomerId,
    LinkId,
    LinkPurpose,
    ProcessId,
    Role,
    RoleId,
    TeamId,
    TicketId,
    TokenId,
    TokenKind,
    WorkspaceId,
)


class CustomRole(Tenant, Base):
    """A role of a workspace's own: any set of permissions."""

    __tablename__ = "roles"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="RESTRICT"),
        UniqueConstraint("workspace_id", "name"),
    )

    id: Mapped[RoleId] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    permissions: Mapped[list[str]]
    created_at: Mapped[datetime]


class Team(Tenant, Base):
    """Agents who serve the same sessions."""

    __tablename__ = "teams"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="RESTRICT"),
        UniqueConstraint("workspace_id", "name"),
    )

    id: Mapped[TeamId] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime]


class TeamMember(Tenant, Base):
    """An agent belongs to a team."""

    __tablename__ = "team_members"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "team_id"], ["teams.workspace_id", "teams.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["workspace_id", "agent_id"], ["agents.workspace_id", "agents.id"], ondelete="CASCADE"
        ),
        Index(None, "workspace_id", "agent_id"),
    )

    team_id: Mapped[TeamId] = mapped_column(primary_key=True)
    agent_id: Mapped[AgentId] = mapped_column(primary_key=True)


class Agent(Tenant, Base):
    """A member of staff, who signs in with e-mail and password, or by another site's word."""

    __tablename__ = "agents"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="RESTRICT"),
        ForeignKeyConstraint(
            ["workspace_id", "role_id"], ["roles.workspace_id", "roles.id"], ondelete="RESTRICT"
        ),
        CheckConstraint("(role_id IS NOT NULL) = (role = 'custom')", name="custom_role"),
        Index(None, "workspace_id", "email", unique=True),
        Index(None, "workspace_id", "role_id"),
    )

    id: Mapped[AgentId] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    """Folded to lower case, unique in the workspace."""
    name: Mapped[str] = mapped_column(String(128))
    role: Mapped[Role]
    role_id: Mapped[RoleId | None]
    status: Mapped[AgentStatus]
    availability: Mapped[Availability]
    """What the agent chose; without a living socket he is shown as offline all the same."""
    accepting_chats: Mapped[bool]
    password_hash: Mapped[str | None] = mapped_column(String(200))
    """argon2id in its own text form; none for who is invited, or signs in elsewhere."""
    totp_secret: Mapped[str | None] = mapped_column(String(255))
    """The secret of the second factor, encrypted by a key that is not in the database."""
    totp_confirmed: Mapped[bool]
    """Whether the agent has shown a code of it once; before that it asks nobody for one."""
    totp_step: Mapped[int | None]
    """The newest step whose code was used: each code is good once."""
    recovery_codes: Mapped[list[str]]
    """SHA-256 of those that are left, in hexadecimal."""
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
    created_by: Mapped[AgentId | None]
    """Which agent made a key, which goes on when he leaves; none: the command line."""
    secret_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    generation: Mapped[int]
    """The newest generation of refresh tokens that was used; 0 before the first."""
    device_id: Mapped[str | None] = mapped_column(String(64))
    """Of a customer's family: the one device that may renew it; none where none was named."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    """To the minute."""
    address: Mapped[str | None] = mapped_column(String(45))
    """From where an agent signed in."""
    user_agent: Mapped[str | None] = mapped_column(String(200))
    """With what."""


class OneTimeLink(Tenant, Base):
    """The right to choose a password once, which an agent is sent; deleted by its use."""

    __tablename__ = "one_time_links"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "agent_id"], ["agents.workspace_id", "agents.id"], ondelete="CASCADE"
        ),
        Index(None, "workspace_id", "agent_id"),
    )

    id: Mapped[LinkId] = mapped_column(primary_key=True)
    agent_id: Mapped[AgentId]
    purpose: Mapped[LinkPurpose]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    expires_at: Mapped[datetime]


class AgentIdentity(Tenant, Base):
    """Who an agent is at another site, by that site's own id; never by e-mail."""

    __tablename__ = "agent_identities"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "agent_id"], ["agents.workspace_id", "agents.id"], ondelete="CASCADE"
        ),
        Index(None, "workspace_id", "agent_id"),
    )

    issuer: Mapped[str] = mapped_column(String(255), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    agent_id: Mapped[AgentId]
    created_at: Mapped[datetime]


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
    __table_args__ = (Index(None, "workspace_id", "until"),)

    workspace_id: Mapped[WorkspaceId] = mapped_column(Uuid(), primary_key=True)
    """The nil UUID where the tried workspace does not exist, and for addresses, which count in all."""
    subject: Mapped[str] = mapped_column(String(80), primary_key=True)
    """`address:…` or `account:…`, hashed by a key that is not in the database, so that no address is kept."""
    tries: Mapped[list[float]]
    """Times in seconds since 1970, oldest first, never more than the limit."""
    pending: Mapped[list[float]]
    """Those of them that are being decided; one that stays here for long was left by a dead process."""
    until: Mapped[datetime]
    """When the row says nothing any more and may go."""
