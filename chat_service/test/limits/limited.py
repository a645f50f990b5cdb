"""A service with the rates that hold by default, whose time stands still between the lines of a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import attrs
import httpx2

from chat_service.app import Service
from chat_service.config import Rates
from chat_service.test.builders import Person, Workspace, build_workspace
from chat_service.test.conftest import config_of
from chat_service.test.events.apart import client_of, started
from chat_service.test.fakes import StandingTimer

WITHOUT_HASTE = Rates(late_seconds=60)
"""The rates by default, on a machine that is late."""


@dataclass
class Limited:
    """That service and its timer."""

    service: Service
    client: httpx2.AsyncClient
    timer: StandingTimer

    async def workspace(self) -> Workspace:
        """A new one."""
        return await build_workspace(self.service, self.client)

    @asynccontextmanager
    async def at(self, address: str | None) -> AsyncIterator[httpx2.AsyncClient]:
        """Somebody at an address."""
        client: Any = None if address is None else (address, 40_000)
        app = httpx2.ASGITransport(app=self.service, client=client, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=app, base_url="http://test") as http:
            yield http

    @asynccontextmanager
    async def moved(self, person: Person, address: str) -> AsyncIterator[Person]:
        """The same person at another address."""
        async with self.at(address) as client:
            yield replace(person, client=client)


@asynccontextmanager
async def limited(folder: Path, **sections: Any) -> AsyncIterator[Limited]:
    """Start it, on a file of its own; `sections` of the configuration may differ."""
    config = config_of(f"sqlite:///{folder / 'chat.db'}", folder)
    config = attrs.evolve(config, **{"rates": WITHOUT_HASTE, **sections})
    timer = StandingTimer()
    async with started(config, timer=timer) as service, client_of(service) as client:
        yield Limited(service, client, timer)


def told(response: httpx2.Response) -> tuple[int, str | None]:
    """The status, and the window that refuses."""
    return response.status_code, response.json().get("policy") if response.is_error else None
