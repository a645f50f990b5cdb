"""Table of the persons served."""

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from chat_service.model.base import Base, Tenant
from chat_service.schema import CustomerId, InboxId


class Customer(Tenant, Base):
    """A person who asks for help. Name and e-mail are what that person claims, nothing proven."""

    __tablename__ = "customers"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "inbox_id"],
            ["inboxes.workspace_id", "inboxes.id"],
            ondelete="RESTRICT",
        ),
    )

    id: Mapped[CustomerId] = mapped_column(primary_key=True)
    inbox_id: Mapped[InboxId]
    name: Mapped[str | None] = mapped_column(String(128))
    email: Mapped[str | None] = mapped_column(String(254))
    created_at: Mapped[datetime]
