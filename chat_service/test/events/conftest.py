"""Brokers to test on, each kind in turn."""

import pytest

from chat_service.schema import WorkspaceId, new_id
from chat_service.test.events.peers import Machine, NatsPlace, Place, PostgresPlace
from chat_service.test.postgres import FreshDatabase

KINDS = ("postgres", "nats")


@pytest.fixture(scope="session")
def broker_database(fresh_database: FreshDatabase) -> str:
    """A database that is a broker and nothing else."""
    return fresh_database("broker")


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest) -> Place:
    """A broker that other tests use as well."""
    if request.param == "nats":
        return NatsPlace(request.getfixturevalue("shared_nats").url)
    return PostgresPlace(request.getfixturevalue("broker_database"))


@pytest.fixture(params=KINDS)
def killable(request: pytest.FixtureRequest) -> tuple[Machine, Place]:
    """A server of the test's own, and the broker it is."""
    server = request.getfixturevalue(f"private_{request.param}")
    return server, NatsPlace(server.url) if request.param == "nats" else PostgresPlace(server.url)


@pytest.fixture
def workspace_id() -> WorkspaceId:
    """A workspace of which no other test speaks."""
    return WorkspaceId(new_id())
