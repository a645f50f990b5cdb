"""Services of a test's own: on a database of its own, broken or small as the test wants it."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from sqlalchemy import Connection
from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import AsyncEngine

from chat_service.app import Service, create_app
from chat_service.config import Config
from chat_service.limits.policies import Timer
from chat_service.model import migrations
from chat_service.schema import Clock, utc_now

ENDLESS = 2**30


@asynccontextmanager
async def client_of(service: Service) -> AsyncIterator[httpx2.AsyncClient]:
    """An HTTP client of a service."""
    transport = httpx2.ASGITransport(app=service, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@asynccontextmanager
async def started(
    config: Config, clock: Clock = utc_now, timer: Timer = time.monotonic_ns
) -> AsyncIterator[Service]:
    """A running service with its schema in place."""
    service = create_app(config, clock=clock, timer=timer)
    await migrations.upgrade(service.database.engine)
    with service.database.bound():
        async with service.quart.test_app():
            yield service


class Room:
    """How many pages a SQLite file may have: `full()` leaves it those that it has."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._pages = ENDLESS
        listen(engine.sync_engine, "begin", self._apply)

    def full(self) -> None:
        """Leave no room, from the next transaction on."""
        self._pages = 1

    def freed(self) -> None:
        """Make room again."""
        self._pages = ENDLESS

    def _apply(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count={self._pages}")
