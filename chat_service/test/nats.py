"""The NATS servers of a test run, as a pytest plugin. PYTEST_DONT_REWRITE (it asserts nothing).

A worker has one for all its tests, each of which has workspaces of its own.
"""

from collections.abc import Iterator

import pytest

from chat_service.test.nats_server import NoNats, Server, running
from chat_service.test.require import skip_or_fail


@pytest.fixture(scope="session")
def shared_nats() -> Iterator[Server]:
    """The server that nobody kills."""
    try:
        with running() as server:
            yield server
    except NoNats as error:
        skip_or_fail("nats", str(error))


@pytest.fixture
def private_nats() -> Iterator[Server]:
    """A server of the test's own, which may be killed and started again."""
    try:
        with running() as server:
            yield server
    except NoNats as error:
        skip_or_fail("nats", str(error))
