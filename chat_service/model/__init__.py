"""The tables, and the engine and sessionmaker that reach them.

Owns how a connection is opened on SQLite and PostgreSQL. Leaves transactions to
`events.transaction`, which is the only part that may use an engine, and versions of the schema to
`model.migrations`.
"""

import os
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy import Connection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from chat_service.config import Database
from chat_service.model.agent import (
    Agent,
    AgentIdentity,
    AgentSocket,
    CustomRole,
    OneTimeLink,
    ProcessLease,
    SignInAttempts,
    Team,
    TeamMember,
    Ticket,
    Token,
)
from chat_service.model.audit import AuditEntry
from chat_service.model.base import Base, table_of
from chat_service.model.chat import ChatMessage, ChatSession, Participant
from chat_service.model.customer import Customer, ShownProof
from chat_service.model.event import ChatEvent, DeadEvent, FeedHead, FeedReader
from chat_service.model.report import MessageCount
from chat_service.model.workspace import Inbox, InboxKey, Workspace

__all__ = [
    "Agent",
    "AgentIdentity",
    "AgentSocket",
    "AuditEntry",
    "Base",
    "ChatEvent",
    "ChatMessage",
    "ChatSession",
    "CustomRole",
    "Customer",
    "DeadEvent",
    "FeedHead",
    "FeedReader",
    "ShownProof",
    "Inbox",
    "InboxKey",
    "Kind",
    "MessageCount",
    "OneTimeLink",
    "Participant",
    "ReadOnly",
    "ProcessLease",
    "SignInAttempts",
    "Team",
    "TeamMember",
    "Ticket",
    "Token",
    "Workspace",
    "asyncpg_url",
    "is_sqlite",
    "open_engine",
    "open_sessionmaker",
    "table_of",
]

# A process that is stopped inside a transaction blocks its workspace for at most 5 s.
POSTGRES_SETTINGS: Final = {
    "application_name": "chat-service",
    "idle_in_transaction_session_timeout": "5s",
    "lock_timeout": "2s",
    "statement_timeout": "10s",
    "tcp_user_timeout": "10s",
    "client_connection_check_interval": "5s",
    # Each query has its index. A plan made while a table was new would else read it whole, and is
    # kept while the table grows, until the server's statistics catch up.
    "enable_seqscan": "off",
    # Nothing here runs long enough to be worth a compilation, which an estimate may start all the same.
    "jit": "off",
    "timezone": "UTC",
}


ANSWER_SECONDS: Final = 15.0
"""Longer than any statement may take: so long only a machine is silent that is gone."""


def open_engine(config: Database, *, answer_seconds: float | None = ANSWER_SECONDS) -> AsyncEngine:
    """An engine for `config.url`; nothing is connected yet.

    A PostgreSQL server that is silent for longer than `answer_seconds` is given up with a
    TimeoutError; with None it is waited for as long as its connection lives.
    """
    url = make_url(config.url)
    if url.get_backend_name() == "sqlite":
        return _open_sqlite(url, config)
    engine = create_async_engine(
        asyncpg_url(url),
        pool_size=config.pool_size,
        max_overflow=0,
        pool_timeout=config.pool_seconds,
        pool_pre_ping=False,
        hide_parameters=True,
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
        connect_args={
            "server_settings": POSTGRES_SETTINGS | _commit_setting(config),
            "timeout": config.pool_seconds,
            "command_timeout": answer_seconds,
            "prepared_statement_cache_size": 500,
        },
    )
    listen(engine.sync_engine, "handle_error", _give_up)
    return engine


def asyncpg_url(url: URL) -> URL:
    """The address of a PostgreSQL database as its driver takes it."""
    url = url.set(drivername="postgresql+asyncpg")
    # The one name of this setting that every PostgreSQL URL uses, and the driver's own.
    mode = url.query.get("sslmode")
    if mode is None:
        return url
    return url.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})


class ReadOnly(Exception):
    """A statement that is no query, where only queries may be; a fault of the program."""


class Kind(Enum):
    """What a database session is for."""

    WRITE = auto()
    SNAPSHOT = auto()
    """To read; all statements see the database of one moment."""
    LOOK = auto()
    """To read; each statement may see a later moment, and there is no transaction to begin."""


def open_sessionmaker(engine: AsyncEngine, kind: Kind) -> async_sessionmaker[AsyncSession]:
    """Makes database sessions that keep loaded values after the commit.

    On SQLite, where a transaction costs no round trip, a look is a snapshot.
    """
    return async_sessionmaker(_prepared(engine, kind), expire_on_commit=False)


def _prepared(engine: AsyncEngine, kind: Kind) -> AsyncEngine:
    if kind is Kind.WRITE:
        return engine.execution_options(write=True)
    if is_sqlite(engine):  # where whoever has not said that he writes cannot
        return engine
    if kind is Kind.SNAPSHOT:
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    looking = engine.execution_options(isolation_level="AUTOCOMMIT")
    listen(looking.sync_engine, "before_cursor_execute", _only_look)
    return looking


def _only_look(_: Connection, __: object, statement: str, *___: object) -> None:
    """Without a transaction the server takes no word for it that nothing is written."""
    if not statement.startswith(("SELECT", "WITH")):
        raise ReadOnly(statement.split()[0])


def is_sqlite(engine: AsyncEngine) -> bool:
    """Whether the engine speaks to SQLite; the only other database is PostgreSQL."""
    return engine.dialect.name == "sqlite"


def _give_up(context: ExceptionContext) -> None:
    """Where one connection is silent for too long, no request waits on another of the same age."""
    if isinstance(context.original_exception, TimeoutError):
        context.invalidate_pool_on_disconnect = True


def _to_json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _commit_setting(config: Database) -> dict[str, str]:
    return {"synchronous_commit": "on" if config.profile == "durable" else "off"}


def _open_sqlite(url: URL, config: Database) -> AsyncEngine:
    _make_private(Path(str(url.database)))
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        pool_size=config.pool_size,
        max_overflow=0,
        pool_timeout=config.pool_seconds,
        hide_parameters=True,
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
    )
    synchronous = "FULL" if config.profile == "durable" else "NORMAL"
    pragmas = (
        "journal_mode=WAL",
        f"synchronous={synchronous}",
        "fullfsync=ON",
        "checkpoint_fullfsync=ON",
        "secure_delete=ON",
        "foreign_keys=ON",
        "busy_timeout=5000",
    )

    def prepare(connection: DBAPIConnection, _: object) -> None:
        connection.isolation_level = None  # BEGIN is ours, below
        try:
            cursor = connection.cursor()
            for pragma in pragmas:
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()
        except BaseException:
            connection.close()  # nobody else knows of it yet
            raise

    listen(engine.sync_engine, "connect", prepare)
    listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _make_private(path: Path) -> None:
    """Make the file for its owner alone; where that fails, connecting says why."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the write lock at once; a reader cannot write and runs beside writers."""
    write = connection.get_execution_options().get("write", False)
    if connection.info.get("write") is not write:
        connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if write else 'ON'}")
        connection.info["write"] = write
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
