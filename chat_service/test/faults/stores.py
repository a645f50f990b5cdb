"""Databases for servers that are killed: durable, of the newest schema, of one test or round."""

from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Final

from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from chat_service.config import Database
from chat_service.model import migrations, open_engine
from chat_service.test.postgres_server import Server

BACKENDS: Final = ("sqlite", "postgres")


@dataclass(frozen=True)
class Store:
    """A database. `server` is the PostgreSQL it lives in, which may be killed."""

    backend: str
    url: str
    server: Server | None = None


async def sqlite_store(folder: Path) -> Store:
    """A new file in a folder."""
    return await _migrated(Store("sqlite", f"sqlite:///{folder / 'chat.db'}"))


async def postgres_store(server: Server) -> Store:
    """A new database of a server."""
    name = f"chat_{token_hex(4)}"
    engine = create_async_engine(server.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with engine.connect() as db:
        await db.exec_driver_sql(f"CREATE DATABASE {name}")
    url = make_url(server.url).set(database=name).render_as_string(hide_password=False)
    return await _migrated(Store("postgres", url, server))


async def _migrated(store: Store) -> Store:
    engine = open_engine(Database(url=store.url))
    await migrations.upgrade(engine)
    await engine.dispose()
    return store
