"""A service of a test file's own: live delivery with other settings, behind a server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import attrs

from chat_service.app import Service
from chat_service.config import Realtime
from chat_service.test.builders import Workspace, build_workspace
from chat_service.test.conftest import config_of
from chat_service.test.events.apart import client_of, started
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.talkers import Address


@dataclass
class Tuned:
    """That service, a workspace of it, and where it listens."""

    service: Service
    workspace: Workspace
    address: Address


@asynccontextmanager
async def tuned(
    database_url: str, folder: Path, *, recheck_seconds: float = 0.0, **realtime: Any
) -> AsyncIterator[Tuned]:
    """Serve with these settings; a SQLite file has one service, so this one has its own."""
    is_sqlite = database_url.startswith("sqlite")
    url = f"sqlite:///{folder / 'chat.db'}" if is_sqlite else database_url
    config = config_of(url, folder)
    auth = attrs.evolve(config.auth, recheck_seconds=recheck_seconds)
    config = attrs.evolve(config, auth=auth, realtime=Realtime(**realtime))
    async with started(config) as service, client_of(service) as client:
        workspace = await build_workspace(service, client)
        async with served(service) as address:
            yield Tuned(service, workspace, address)
