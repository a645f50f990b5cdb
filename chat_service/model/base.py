"""What all tables share: naming of constraints, column types, the tenant key.

Rules that hold for every table: `workspace_id` leads each primary, unique and foreign key (tenant
wall, and distribution column on Citus); ids, times and numbers come from the application.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, cast
from uuid import UUID

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Enum, MetaData, Table, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from chat_service import schema

JsonType = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class UtcTime(TypeDecorator[datetime]):
    """An aware time in UTC on both databases; a naive one is a fault of the program."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without zone reached the database")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def choice(values: type[StrEnum]) -> Enum:
    """A column of one of the words of `values`, held by a CHECK."""
    return Enum(
        values,
        native_enum=False,
        create_constraint=True,
        length=24,
        name=values.__name__.lower(),
        values_callable=lambda words: [word.value for word in words],
    )


class Base(DeclarativeBase):
    """The base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcTime(),
        int: BigInteger(),
        UUID: Uuid(),
        schema.WorkspaceId: Uuid(),
        schema.InboxId: Uuid(),
        schema.CustomerId: Uuid(),
        schema.AgentId: Uuid(),
        schema.TokenId: Uuid(),
        schema.SessionId: Uuid(),
        schema.MessageId: Uuid(),
        schema.EventId: Uuid(),
        schema.TicketId: Uuid(),
        schema.ProcessId: Uuid(),
        schema.RoleId: Uuid(),
        schema.TeamId: Uuid(),
        schema.LinkId: Uuid(),
        schema.InboxKeyId: Uuid(),
        schema.AuditId: Uuid(),
        dict[str, Any]: JsonType,
        list[str]: JsonType,
        list[float]: JsonType,
        schema.Status: choice(schema.Status),
        schema.ClosedReason: choice(schema.ClosedReason),
        schema.Priority: choice(schema.Priority),
        schema.Channel: choice(schema.Channel),
        schema.AuthorType: choice(schema.AuthorType),
        schema.Visibility: choice(schema.Visibility),
        schema.Audience: choice(schema.Audience),
        schema.TokenKind: choice(schema.TokenKind),
        schema.AgentStatus: choice(schema.AgentStatus),
        schema.Availability: choice(schema.Availability),
        schema.ReaderStatus: choice(schema.ReaderStatus),
        schema.Role: choice(schema.Role),
        schema.LinkPurpose: choice(schema.LinkPurpose),
        schema.KeyAlgorithm: choice(schema.KeyAlgorithm),
        schema.Outcome: choice(schema.Outcome),
    }


def table_of(entity: type[Base]) -> Table:
    """The table behind a class, for statements that do without objects."""
    return cast(Table, entity.__table__)


class Tenant:
    """A table of a workspace's rows."""

    workspace_id: Mapped[schema.WorkspaceId] = mapped_column(primary_key=True, sort_order=-100)
