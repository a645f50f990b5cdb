"""What attackers find: a workspace with one of everything, and two with all kinds of people."""

from collections.abc import AsyncIterator

import pytest

from chat_service.app import Service
from chat_service.test.addresses import Stage, build_stage
from chat_service.test.builders import build_workspace
from chat_service.test.events.apart import client_of
from chat_service.test.security.world import World, build_world


@pytest.fixture(scope="module")
async def stage(service: Service) -> AsyncIterator[Stage]:
    """A workspace with people and a session: attackers change nothing of it."""
    async with client_of(service) as client:
        yield await build_stage(await build_workspace(service, client))


@pytest.fixture(scope="session")
async def world(service: Service) -> AsyncIterator[World]:
    """The people of all addresses and transports, who are dear to make.

    What one address changes is of no concern to another.
    """
    async with client_of(service) as client:
        yield await build_world(await build_workspace(service, client), service)
