"""Tables of the tenant and of its entry points."""

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from chat_service.model.base import Base, Tenant
from chat_service.schema import InboxId, InboxKeyId, KeyAlgorithm, WorkspaceId


class Workspace(Base):
    """A tenant. The only table without a workspace in its key."""

    __tablename__ = "workspaces"

    id: Mapped[WorkspaceId] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(63), unique=True)
    name: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime]


class Inbox(Tenant, Base):
    """The entry point of a site, with the origins whose pages may use it."""

    __tablename__ = "inboxes"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="RESTRICT"),
    )

    id: Mapped[InboxId] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    allowed_origins: Mapped[list[str]]
    """Exact origins, `https://shop.example.org`; callers without `Origin` are always let in."""
    reopen_seconds: Mapped[int]
    """How long after its end a customer's message opens a session again."""
    reply_claims: Mapped[bool]
    """A public message of an agent in a queued session claims it; off: 409 `not_assigned`."""
    assignee_only: Mapped[bool]
    """Only the assignee may answer; else whoever may assign joins as participant."""
    created_at: Mapped[datetime]


class InboxKey(Tenant, Base):
    """A key by which the host site of an inbox vouches for its visitors; at most two are live."""

    __tablename__ = "inbox_keys"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "inbox_id"],
            ["inboxes.workspace_id", "inboxes.id"],
            ondelete="CASCADE",
        ),
        Index(None, "workspace_id", "inbox_id"),
    )

    id: Mapped[InboxKeyId] = mapped_column(primary_key=True)
    """The `kid` of tokens is its hexadecimal form."""
    inbox_id: Mapped[InboxId]
    algorithm: Mapped[KeyAlgorithm]
    material: Mapped[str] = mapped_column(String(1024))
    """HS256: the shared secret, encrypted by a key that is not in the database. EdDSA: the public key, as JWK."""
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
