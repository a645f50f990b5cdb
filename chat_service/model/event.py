"""Tables of the log: what happened, and where each workspace's log ends."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chat_service.model.base import Base, Tenant
from chat_service.schema import (
    Audience,
    AuthorType,
    EventId,
    MessageId,
    ProcessId,
    ReaderStatus,
    SessionId,
)


class ChatEvent(Tenant, Base):
    """A recorded fact: a row of the one log, gapless by `pos`, and by `seq` in its session.

    `data` holds ids and codes, never free text.
    """

    __tablename__ = "chat_events"
    __table_args__ = (
        UniqueConstraint("workspace_id", "session_id", "seq"),
        UniqueConstraint("workspace_id", "session_id", "public_seq"),
        CheckConstraint("(seq IS NULL) = (audience = 'workspace')", name="seq"),
        CheckConstraint("(public_seq IS NOT NULL) = (audience = 'public')", name="public_seq"),
    )

    pos: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[SessionId | None]
    audience: Mapped[Audience]
    seq: Mapped[int | None]
    public_seq: Mapped[int | None]
    id: Mapped[EventId]
    type: Mapped[str] = mapped_column(String(64))
    actor_type: Mapped[AuthorType]
    actor_id: Mapped[UUID | None]
    message_id: Mapped[MessageId | None]
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class FeedHead(Tenant, Base):
    """Where a workspace's log ends. Its row is the last lock of every write."""

    __tablename__ = "feed_head"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="RESTRICT"),
        {"postgresql_with": {"fillfactor": "50", "autovacuum_vacuum_scale_factor": "0.01"}},
    )

    pos: Mapped[int]
    last_id: Mapped[EventId | None]
    before_id: Mapped[EventId | None]
    """The last one when the latest transaction began to add its own."""
    floor: Mapped[int]
    """All events above it are kept; cursors below it have expired."""


class FeedReader(Tenant, Base):
    """How far a follower has read a workspace's log, and which process reads for it now."""

    __tablename__ = "feed_readers"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="RESTRICT"),
    )

    reader: Mapped[str] = mapped_column(String(64), primary_key=True)
    pos: Mapped[int]
    status: Mapped[ReaderStatus]
    owner: Mapped[ProcessId | None]
    leased_until: Mapped[datetime | None]


class DeadEvent(Tenant, Base):
    """An event that a follower could not handle and passed by."""

    __tablename__ = "dead_events"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "reader"],
            ["feed_readers.workspace_id", "feed_readers.reader"],
            ondelete="CASCADE",
        ),
    )

    reader: Mapped[str] = mapped_column(String(64), primary_key=True)
    pos: Mapped[int] = mapped_column(primary_key=True)
    error: Mapped[str] = mapped_column(String(200))
    """The type of the error and where it was raised: never anybody's words."""
    tries: Mapped[int]
