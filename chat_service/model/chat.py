"""Tables of chat: sessions, their participants and their messages."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from chat_service.model.base import Base, Tenant
from chat_service.schema import (
    AgentId,
    AuthorType,
    Channel,
    ClosedReason,
    CustomerId,
    InboxId,
    MessageId,
    Priority,
    SessionId,
    Status,
    TeamId,
    Visibility,
)


class ChatSession(Tenant, Base):
    """One support episode. Its counters number its events and are changed only under its lock."""

    __tablename__ = "chat_sessions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "inbox_id"],
            ["inboxes.workspace_id", "inboxes.id"],
            ondelete="RESTRICT",
        ),
        ForeignKeyConstraint(
            ["workspace_id", "customer_id"],
            ["customers.workspace_id", "customers.id"],
            ondelete="RESTRICT",
        ),
        ForeignKeyConstraint(
            ["workspace_id", "assignee_id"],
            ["agents.workspace_id", "agents.id"],
            ondelete="RESTRICT",
        ),
        ForeignKeyConstraint(
            ["workspace_id", "team_id"], ["teams.workspace_id", "teams.id"], ondelete="RESTRICT"
        ),
        UniqueConstraint("workspace_id", "customer_id", "client_session_id"),
        Index(None, "workspace_id", "last_activity_at", "id"),
        Index(None, "workspace_id", "created_at", "id"),
        Index(
            None,
            "workspace_id",
            "waiting_since",
            "id",
            sqlite_where=text("waiting_since IS NOT NULL"),
            postgresql_where=text("waiting_since IS NOT NULL"),
        ),
        Index(None, "workspace_id", "assignee_id"),
        Index(None, "workspace_id", "team_id"),
        Index(
            "ix_chat_sessions_unclosed",
            "workspace_id",
            "assignee_id",
            "last_activity_at",
            "id",
            sqlite_where=text("status != 'closed'"),
            postgresql_where=text("status != 'closed'"),
        ),
        Index(
            "ix_chat_sessions_unclosed_of_team",
            "workspace_id",
            "team_id",
            "assignee_id",
            "last_activity_at",
            "id",
            sqlite_where=text("status != 'closed' AND team_id IS NOT NULL"),
            postgresql_where=text("status != 'closed' AND team_id IS NOT NULL"),
        ),
        {"postgresql_with": {"fillfactor": "80", "autovacuum_vacuum_scale_factor": "0.01"}},
    )

    id: Mapped[SessionId] = mapped_column(primary_key=True)
    inbox_id: Mapped[InboxId]
    customer_id: Mapped[CustomerId]
    client_session_id: Mapped[str] = mapped_column(String(64))
    previous_session_id: Mapped[SessionId | None]
    status: Mapped[Status]
    channel: Mapped[Channel]
    subject: Mapped[str | None] = mapped_column(String(200))
    assignee_id: Mapped[AgentId | None]
    team_id: Mapped[TeamId | None]
    queued_at: Mapped[datetime | None]
    priority: Mapped[Priority | None]
    tags: Mapped[list[str]]
    custom_attributes: Mapped[dict[str, Any]]
    closed_reason: Mapped[ClosedReason | None]
    closed_at: Mapped[datetime | None]
    waiting_since: Mapped[datetime | None]
    """When the customer wrote the first message that no agent has answered yet."""
    last_seq: Mapped[int]
    last_public_seq: Mapped[int]
    last_message_id: Mapped[MessageId | None]
    """The newest public message, from which the summary is rendered."""
    message_count: Mapped[int]
    """Public messages, deleted ones among them."""
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    last_activity_at: Mapped[datetime]
    """Moves with public events only: it is all that a customer sees move."""


class Participant(Tenant, Base):
    """An actor in a session: the customer, and staff who wrote publicly, were assigned, or read.

    The marks are watermarks: how far this actor has read, and has been reached, in both numberings.
    They never go down.
    """

    __tablename__ = "participants"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "session_id"],
            ["chat_sessions.workspace_id", "chat_sessions.id"],
            ondelete="CASCADE",
        ),
    )

    session_id: Mapped[SessionId] = mapped_column(primary_key=True)
    type: Mapped[AuthorType] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    visibility: Mapped[Visibility]
    joined_at: Mapped[datetime]
    left_at: Mapped[datetime | None]
    read_seq: Mapped[int]
    read_public_seq: Mapped[int]
    delivered_seq: Mapped[int]
    delivered_public_seq: Mapped[int]
    marks_version: Mapped[int]
    """Counts the changes of the marks, by which other processes find what moved."""


class ChatMessage(Tenant, Base):
    """What somebody said. Told apart by `author_type`; a note is an internal message."""

    __tablename__ = "chat_messages"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "session_id"],
            ["chat_sessions.workspace_id", "chat_sessions.id"],
            ondelete="CASCADE",
        ),
        UniqueConstraint("workspace_id", "session_id", "seq"),
        UniqueConstraint("workspace_id", "session_id", "public_seq"),
        UniqueConstraint(
            "workspace_id",
            "session_id",
            "author_slot",
            "client_message_id",
            name="uq_chat_messages_natural_key",
        ),
    )

    id: Mapped[MessageId] = mapped_column(primary_key=True)
    session_id: Mapped[SessionId]
    visibility: Mapped[Visibility]
    seq: Mapped[int]
    public_seq: Mapped[int | None]
    author_slot: Mapped[str | None] = mapped_column(String(64))
    author_type: Mapped[AuthorType]
    author_id: Mapped[UUID | None]
    client_message_id: Mapped[str | None] = mapped_column(String(64))
    fingerprint: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """SHA-256 of content, visibility and reply_to_id; tells a repeat from another message."""
    content: Mapped[dict[str, Any] | None]
    """Null once deleted: the row stays as tombstone and keeps its numbers."""
    reply_to_id: Mapped[MessageId | None]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")
    public_metadata: Mapped[dict[str, Any]]
    version: Mapped[int]
    created_at: Mapped[datetime]
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
