"""Tables of figures, kept by followers of the log."""

from datetime import date

from sqlalchemy import Date, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chat_service.model.base import Base, Tenant
from chat_service.schema import AuthorType


class MessageCount(Tenant, Base):
    """How many messages were written on a day in UTC, by each type of author."""

    __tablename__ = "message_counts"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="RESTRICT"),
    )

    day: Mapped[date] = mapped_column(Date(), primary_key=True)
    author_type: Mapped[AuthorType] = mapped_column(primary_key=True)
    count: Mapped[int]
