"""A database whose logs nobody follows but the test."""

from collections.abc import AsyncIterator

import pytest

from chat_service.app import Service
from chat_service.test.builders import Workspace, build_workspace
from chat_service.test.events.apart import client_of
from chat_service.test.events.follow.following import unserved
from chat_service.test.fakes import TurningClock
from chat_service.test.postgres import FreshDatabase


@pytest.fixture(scope="session")
async def apart(
    backend: str,
    turning_clock: TurningClock,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Service]:
    """A service that serves nobody, on that database."""
    folder = tmp_path_factory.mktemp("follow")
    url = f"sqlite:///{folder / 'chat.db'}"
    if backend != "sqlite":
        fresh: FreshDatabase = request.getfixturevalue("fresh_database")
        url = fresh("follow")
    async with unserved(url, folder, turning_clock) as service:
        yield service


@pytest.fixture
async def place(apart: Service) -> AsyncIterator[Workspace]:
    """A workspace there."""
    async with client_of(apart) as client:
        yield await build_workspace(apart, client)
