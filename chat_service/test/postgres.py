"""The PostgreSQL of a test run, as a pytest plugin. PYTEST_DONT_REWRITE (it asserts nothing).

One server serves a run and all its workers: `TEST_DATABASE_URL`, else one started here, for speed
without fsync. Crash tests have servers of their own, with the settings of production.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from secrets import token_hex
from typing import Any

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from chat_service.test.postgres_server import FORGETFUL, NoPostgres, Server, running
from chat_service.test.require import skip_or_fail

FreshDatabase = Callable[[str], str]
"""Makes an empty database, whose name holds the given word, and gives its URL."""
SHARED = pytest.StashKey[dict[str, str]]()
"""The address of the shared server as `url`, or why there is none as `missing`."""


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Start the server before the first xdist worker, and tell each worker where it is."""
    node.workerinput["postgres"] = _shared(node.config)


@pytest.fixture(scope="session")
def postgres_url(pytestconfig: pytest.Config) -> str:
    """The shared server's own database, from which others are made."""
    shared = _shared(pytestconfig)
    return shared.get("url") or skip_or_fail("postgres", shared["missing"])


@pytest.fixture(scope="session")
def fresh_database(postgres_url: str) -> Iterator[FreshDatabase]:
    """Makes databases on the shared server; they are dropped at the end of the run."""
    with databases_on(postgres_url) as make:
        yield make


@pytest.fixture
def private_postgres() -> Iterator[Server]:
    """A durable server of the test's own, which may be killed and started again."""
    try:
        with running() as server:
            yield server
    except NoPostgres as error:
        skip_or_fail("postgres", str(error))


@contextmanager
def databases_on(url: str) -> Iterator[FreshDatabase]:
    """Makes databases on a server, where `url` may do so, and drops them at the end."""
    made: list[str] = []

    def make(word: str) -> str:
        name = f"chat_test_{word}_{token_hex(4)}"
        _run_apart(_execute(url, f'CREATE DATABASE "{name}"'))
        made.append(name)
        return make_url(url).set(database=name).render_as_string(hide_password=False)

    yield make
    for name in made:
        _run_apart(_execute(url, f'DROP DATABASE "{name}" WITH (FORCE)'))


def given_url(environ: Mapping[str, str] = os.environ) -> str | None:
    """`TEST_DATABASE_URL` in the form our engines take, if there is one."""
    url = environ.get("TEST_DATABASE_URL")
    if not url:
        return None
    address = make_url(url).set(drivername="postgresql+asyncpg")
    return address.render_as_string(hide_password=False)


def _shared(config: pytest.Config) -> dict[str, str]:
    """Where the one server of the run is: a worker was told, else the first who asks starts it."""
    given: dict[str, Any] = getattr(config, "workerinput", {})
    if "postgres" in given:
        return dict(given["postgres"])
    if SHARED not in config.stash:
        config.stash[SHARED] = _find(config)
    return config.stash[SHARED]


def _find(config: pytest.Config) -> dict[str, str]:
    if url := given_url():
        return {"url": url}
    until_the_end = ExitStack()
    config.add_cleanup(until_the_end.close)
    try:
        return {"url": until_the_end.enter_context(running(settings=FORGETFUL)).url}
    except NoPostgres as error:
        return {"missing": str(error)}


async def _execute(url: str, statement: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with engine.connect() as db:
        await db.exec_driver_sql(statement)


def _run_apart(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end in a loop of its own, whether or not the caller stands in one."""
    with ThreadPoolExecutor(1) as apart:
        apart.submit(asyncio.run, work).result()
