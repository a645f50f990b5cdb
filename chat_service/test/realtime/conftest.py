"""The service under test behind a real server, for real sockets."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import uvicorn

from chat_service.app import Service
from chat_service.server.runner import listen
from chat_service.test.builders import Workspace, build_workspace
from chat_service.test.realtime.talkers import Address


class _Server(uvicorn.Server):
    """One that leaves the signals of the test run alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(application: Any, *, ws: Any = "websockets-sansio") -> AsyncIterator[Address]:
    """A service that is started already, on a port of its own."""
    config = uvicorn.Config(
        application,
        http="httptools",
        ws=ws,
        ws_per_message_deflate=False,
        ws_max_size=65_536,
        proxy_headers=False,
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    with listen("127.0.0.1", 0) as sock:
        running = asyncio.create_task(server.serve(sockets=[sock]))
        try:
            yield Address(f"127.0.0.1:{sock.getsockname()[1]}")
        finally:
            server.should_exit = True
            await asyncio.wait([running])


@pytest.fixture(scope="session")
async def address(service: Service) -> AsyncIterator[Address]:
    """Where the service listens."""
    async with served(service) as address:
        yield address


@pytest.fixture
async def other_workspace(workspace: Workspace) -> Workspace:
    """A second workspace on the same service."""
    return await build_workspace(workspace.service, workspace.client)
