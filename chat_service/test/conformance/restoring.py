"""Databases that are copied, and set back to the copy as an operator would do it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Protocol

from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool


class Copy(Protocol):
    """A database as it was."""

    async def restore(self) -> None:
        """Put it in the place of the database, whoever is using that now."""


@asynccontextmanager
async def copied(url: str) -> AsyncIterator[Copy]:
    """A copy of a database that nobody uses just now."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        copy = SqliteCopy(str(address.database))
        await asyncio.to_thread(copy.take)
        yield copy
        return
    template = PostgresCopy(address)
    await template.take()
    yield template
    await template.drop()


class SqliteCopy:
    """A file beside the file, both ways by SQLite's own backup."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._copy = f"{path}.copy"

    def take(self) -> None:
        """Back the file up."""
        _back_up(self._path, self._copy)

    async def restore(self) -> None:
        """Write the backup over the file, as one transaction."""
        await asyncio.to_thread(_back_up, self._copy, self._path)


class PostgresCopy:
    """A second database; the first one is dropped under whoever is connected, and made of it."""

    def __init__(self, address: URL) -> None:
        self._server = address.set(drivername="postgresql+asyncpg", database="postgres")
        self._name = str(address.database)
        self._copy = f"{self._name}_copy"

    async def take(self) -> None:
        """Copy the database; nobody may be connected."""
        await self._run(f'CREATE DATABASE "{self._copy}" TEMPLATE "{self._name}"')

    async def restore(self) -> None:
        """Drop the database and make it again."""
        await self._run(f'DROP DATABASE "{self._name}" WITH (FORCE)')
        await self._run(f'CREATE DATABASE "{self._name}" TEMPLATE "{self._copy}"')

    async def drop(self) -> None:
        """Remove the copy."""
        await self._run(f'DROP DATABASE "{self._copy}"')

    async def _run(self, statement: str) -> None:
        engine = create_async_engine(self._server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        async with engine.connect() as db:
            await db.exec_driver_sql(statement)


def _back_up(source: str, target: str) -> None:
    with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(target)) as there:
        here.backup(there)
