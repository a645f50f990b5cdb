"""How Alembic reaches the database: over the connection that `model.migrations` hands in."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from chat_service.model import Base
from chat_service.model.base import JsonType, UtcTime


def render(kind: str, value: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Write our own column types by name."""
    if kind == "type" and isinstance(value, UtcTime):
        autogen.imports.add("from chat_service.model.base import UtcTime")
        return "UtcTime()"
    if kind == "type" and value is JsonType:
        autogen.imports.add("from chat_service.model.base import JsonType")
        return "JsonType"
    return False


def migrate(connection: Connection) -> None:
    """Run what the command asked for, inside the transaction of whoever called it."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        render_item=render,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


migrate(context.config.attributes["connection"])
