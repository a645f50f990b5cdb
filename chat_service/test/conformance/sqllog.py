"""The SQL that an engine runs, by transaction, and what it says of locks and of tenants."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.event import listen, remove
from sqlalchemy.ext.asyncio import AsyncEngine

from chat_service.model import Base

TENANT_TABLES: Final = {
    name for name, table in Base.metadata.tables.items() if "workspace_id" in table.columns
}
OVER_ALL_TENANTS: Final = ("FROM feed_head JOIN (SELECT",)
"""What looks for work in all workspaces at once: by their positions, not by what is in them."""
NAMED: Final = re.compile(r"\b(?:FROM|JOIN|UPDATE|INTO)\s+(\w+(?: AS \w+)?(?:, \w+(?: AS \w+)?)*)")
LOCKED: Final = re.compile(
    r"^SELECT .*?\bFROM (\w+).* FOR (?:(NO KEY UPDATE)(?: OF (\w+))?(?: SKIP LOCKED)?$|\w+)"
)


class SqlLog:
    """What ran while it was watched: every statement, and the committed transactions of them."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.committed: list[list[str]] = []
        self._open: dict[Connection, list[str]] = {}

    def writes(self) -> list[list[str]]:
        """The committed transactions that wrote to the log."""
        return [
            each
            for each in self.committed
            if any(sql.startswith("INSERT INTO chat_events") for sql in each)
        ]

    def on_begin(self, connection: Connection) -> None:
        """A transaction begins."""
        self._open[connection] = []

    def on_statement(
        self, connection: Connection, cursor: Any, sql: str, values: Any, context: Any, many: bool
    ) -> None:
        """A statement is about to run."""
        flat = " ".join(sql.split())
        self.statements.append(flat)
        self._open.setdefault(connection, []).append(flat)

    def on_commit(self, connection: Connection) -> None:
        """A transaction is about to be committed."""
        self.committed.append(self._open.pop(connection, []))


@contextmanager
def watching(engine: AsyncEngine) -> Iterator[SqlLog]:
    """Keep the SQL of an engine."""
    kept = SqlLog()
    listeners: list[tuple[str, Callable[..., None]]] = [
        ("begin", kept.on_begin),
        ("before_cursor_execute", kept.on_statement),
        ("commit", kept.on_commit),
    ]
    for name, listener in listeners:
        listen(engine.sync_engine, name, listener)
    try:
        yield kept
    finally:
        for name, listener in listeners:
            remove(engine.sync_engine, name, listener)


def locks(transaction: list[str]) -> list[str]:
    """The tables whose rows a transaction locked, in order; a weaker or stronger lock by its SQL."""
    found = []
    for sql in transaction:
        if sql.startswith("UPDATE feed_head"):
            found.append("feed_head")
        elif match := LOCKED.search(sql):
            found.append((match[3] or match[1]) if match[2] else sql)
    return found


def without_tenant(sql: str) -> set[str]:
    """The tenant tables that a statement touches without naming their `workspace_id`."""
    if any(words in sql for words in OVER_ALL_TENANTS):
        return set()
    if sql.startswith("INSERT"):
        table, columns = sql.removeprefix("INSERT INTO ").split(" ", 1)
        named = "workspace_id" in columns.partition(")")[0]
        return set() if named or table not in TENANT_TABLES else {table}
    touched = [part.split(" AS ") for found in NAMED.findall(sql) for part in found.split(", ")]
    tenants = {parts[-1]: parts[0] for parts in touched if parts[0] in TENANT_TABLES}
    missing = {table for alias, table in tenants.items() if not _compared(alias, sql)}
    bound = re.search(r"\.workspace_id (?:= [?$:]|IN \()", sql)
    return missing if bound else missing | set(tenants.values())


def _compared(alias: str, sql: str) -> bool:
    column = rf"\b{alias}\.workspace_id"
    return bool(re.search(rf"{column} (?:=|IN)|= {column}\b", sql))
