"""Table of who did what."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from chat_service.model.base import Base
from chat_service.schema import AuditId, AuthorType, Outcome, WorkspaceId


class AuditEntry(Base):
    """One act, done or refused. Rows are inserted and read, and never changed."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index(None, "workspace_id", "at", "id"),)

    workspace_id: Mapped[WorkspaceId] = mapped_column(Uuid(), primary_key=True)
    """The nil UUID where the tried workspace does not exist."""
    id: Mapped[AuditId] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor_type: Mapped[AuthorType]
    actor_id: Mapped[UUID | None]
    """None for the system, and for who is not known, as after a wrong password."""
    token_id: Mapped[UUID | None]
    action: Mapped[str] = mapped_column(String(64))
    """`noun.past_tense`, such as `agent.invited`."""
    outcome: Mapped[Outcome]
    target_type: Mapped[str | None] = mapped_column(String(32))
    target_id: Mapped[str | None] = mapped_column(String(64))
    fields: Mapped[list[str]]
    """Names of what was changed, never values."""
    address: Mapped[str | None] = mapped_column(String(45))
    request_id: Mapped[str | None] = mapped_column(String(36))
