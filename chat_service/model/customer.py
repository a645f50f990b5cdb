"""Tables of the persons served."""

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chat_service.model.base import Base, Tenant
from chat_service.schema import CustomerId, InboxId


class Customer(Tenant, Base):
    """A person who asks for help: a visitor, or with an `external_id` somebody the site vouches for.

    A visitor's name and e-mail are what that person claims, nothing proven.
    """

    __tablename__ = "customers"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "inbox_id"],
            ["inboxes.workspace_id", "inboxes.id"],
            ondelete="RESTRICT",
        ),
        ForeignKeyConstraint(
            ["workspace_id", "merged_into"],
            ["customers.workspace_id", "customers.id"],
            ondelete="RESTRICT",
        ),
        UniqueConstraint("workspace_id", "inbox_id", "external_id"),
        Index(None, "workspace_id", "merged_into"),
    )

    id: Mapped[CustomerId] = mapped_column(primary_key=True)
    inbox_id: Mapped[InboxId]
    name: Mapped[str | None] = mapped_column(String(128))
    email: Mapped[str | None] = mapped_column(String(254))
    email_verified: Mapped[bool]
    """Whether the host site vouches for the e-mail."""
    external_id: Mapped[str | None] = mapped_column(String(128))
    """The host site's own id of a verified customer."""
    verified_at: Mapped[datetime | None]
    merged_into: Mapped[CustomerId | None]
    """The verified customer this visitor turned out to be; the old id keeps resolving."""
    blocked_at: Mapped[datetime | None]
    blocked_until: Mapped[datetime | None]
    """None with `blocked_at` is for good."""
    created_at: Mapped[datetime]


class ShownProof(Tenant, Base):
    """An identity token that was shown, bound to the first device that showed it."""

    __tablename__ = "shown_proofs"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="RESTRICT"),
        Index(None, "workspace_id", "expires_at"),
    )

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    device_id: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime]
