"""Databases that may be killed, and services on them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chat_service.test.faults.stores import BACKENDS, Store, postgres_store, sqlite_store
from chat_service.test.postgres_server import NoPostgres, Server, running
from chat_service.test.require import skip_or_fail


@pytest.fixture(scope="session")
def durable_postgres() -> Iterator[Server]:
    """A server with the settings of production; whoever kills it starts it again."""
    try:
        with running() as server:
            yield server
    except NoPostgres as error:
        skip_or_fail("postgres", str(error))


@pytest.fixture
async def postgres(durable_postgres: Server) -> Store:
    """A PostgreSQL database of the test's own."""
    return await postgres_store(durable_postgres)


@pytest.fixture(params=BACKENDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A database of the test's own, of each kind."""
    if request.param == "sqlite":
        return await sqlite_store(tmp_path)
    return await postgres_store(request.getfixturevalue("durable_postgres"))
