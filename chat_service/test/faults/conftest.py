"""Databases that may be killed, services on them, and what is left to chance."""

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random, SystemRandom

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


@pytest.fixture
def random() -> Random:
    """Chooses whatever a test leaves to chance; CHAT_FAULTS_SEED chooses the same again."""
    seed = int(os.environ.get("CHAT_FAULTS_SEED") or SystemRandom().randrange(10**9))
    print(f"CHAT_FAULTS_SEED={seed}")
    return Random(seed)
