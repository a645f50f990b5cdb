"""The service under test, on SQLite and on PostgreSQL, and a clock that tests may turn.

One database a worker and backend; each test makes its own workspace and cleans nothing up.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from typed_settings.types import Secret

from chat_service.app import Service, create_app
from chat_service.config import Auth, BrokerSettings, Config, Database, Log, Rates, Server
from chat_service.model import migrations
from chat_service.test.backends import BACKENDS
from chat_service.test.builders import Workspace, build_workspace
from chat_service.test.fakes import TurningClock
from chat_service.test.nats_server import Server as NatsServer
from chat_service.test.postgres import FreshDatabase

pytest_plugins = ["chat_service.test.nats", "chat_service.test.postgres"]
METRICS_TOKEN = "0123456789abcdef0123456789abcdef"
PLATFORM_TOKEN = "fedcba9876543210fedcba9876543210"


UNBOUNDED = Rates(factor=1_000_000, late_seconds=60)
"""Tests do more in a second than people do in a day, on machines that have little time."""


def config_of(url: str, folder: Path, *, profile: str = "fast", broker: str = "") -> Config:
    """The configuration of a service under test: cheap passwords, no lines of requests, its own key."""
    return Config(
        environment="test",
        server=Server(metrics_token=Secret(METRICS_TOKEN)),
        database=Database(url=url, profile="durable" if profile == "durable" else "fast"),
        broker=BrokerSettings(url=broker),
        auth=Auth(
            secret_key_file=str(folder / "secret_key"),
            hash_memory_kib=64,
            hash_rounds=1,
            recheck_seconds=0,
            platform_token=Secret(PLATFORM_TOKEN),
        ),
        rates=UNBOUNDED,
        log=Log(level="warning"),
    )


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of database and broker; a test that asks for the service runs on each."""
    return str(request.param)


@pytest.fixture(scope="session")
def database_url(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """An empty database of that kind."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'chat.db'}"
    fresh: FreshDatabase = request.getfixturevalue("fresh_database")
    return fresh("service")


@pytest.fixture(scope="session")
def broker_url(backend: str, request: pytest.FixtureRequest) -> str:
    """Which broker joins the services on that database; the empty one is the database's own."""
    if backend != "nats":
        return ""
    nats: NatsServer = request.getfixturevalue("shared_nats")
    return nats.url


@pytest.fixture(scope="session")
def turning_clock() -> TurningClock:
    """The clock of every service under test in this worker."""
    return TurningClock()


@pytest.fixture
def clock(turning_clock: TurningClock) -> Iterator[TurningClock]:
    """A clock that runs as it should again after the test."""
    yield turning_clock
    turning_clock.reset()


@pytest.fixture(scope="session")
async def service(
    database_url: str,
    broker_url: str,
    turning_clock: TurningClock,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Service]:
    """A running service, without a server around it."""
    config = config_of(database_url, tmp_path_factory.mktemp("service"), broker=broker_url)
    service = create_app(config, clock=turning_clock)
    await migrations.upgrade(service.database.engine)
    with service.database.bound():
        await service.quart.startup()
        yield service
        await service.quart.shutdown()


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx2.AsyncClient]:
    """An HTTP client of that service, at an address of its own: tries at passwords count by it."""
    number = uuid4().int
    place = (f"2001:db8:{number >> 112:x}:{number & 0xFFFF:x}::2", 40_000)
    transport = httpx2.ASGITransport(app=service, client=place, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
async def workspace(service: Service, client: httpx2.AsyncClient) -> Workspace:
    """A workspace of the test's own, with an inbox."""
    return await build_workspace(service, client)
