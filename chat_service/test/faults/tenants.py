"""A workspace with staff and customers in chats, on a server that runs in a process of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2

from chat_service.app import Service, create_app
from chat_service.config import Auth, Config, Database, Log
from chat_service.schema import Role
from chat_service.test.builders import Person, Workspace, build_workspace

TIMEOUT: Final = httpx2.Timeout(40, connect=20)
IDLE_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Chatter:
    """Somebody who writes: a person and the author slot of what he writes."""

    person: Person
    slot: str


@dataclass(frozen=True)
class Chat:
    """A session, its customer, and its number of the first message."""

    id: str
    customer: Chatter


@dataclass(frozen=True)
class Tenant:
    """A workspace, its agents, and its chats; the first is the hot one."""

    workspace: Workspace
    agents: list[Chatter]
    chats: list[Chat]


@asynccontextmanager
async def client_of(address: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a server that may be gone at any moment.

    It lets connections go that it has not used for a second: a server that leaves closes them after
    its `balancer_seconds`, and a request must not cross that.
    """
    limits = httpx2.Limits(
        max_connections=200, max_keepalive_connections=60, keepalive_expiry=IDLE_SECONDS
    )
    async with httpx2.AsyncClient(base_url=address, timeout=TIMEOUT, limits=limits) as client:
        yield client


async def build_tenant(
    url: str, folder: Path, client: httpx2.AsyncClient, *, agents: int = 2, chats: int = 2
) -> Tenant:
    """Make a workspace in the database `url`, and chats through its server."""
    service = _beside(url, folder)
    workspace = await build_workspace(service, client)
    staff = [await workspace.agent(Role.SUPERVISOR) for _ in range(agents)]
    await service.database.engine.dispose()
    return Tenant(
        workspace,
        [Chatter(person, f"agent:{person.id}") for person in staff],
        [await _open_chat(workspace) for _ in range(chats)],
    )


def _beside(url: str, folder: Path) -> Service:
    """The same service in this process, for what has no address yet: it is never started."""
    auth = Auth(secret_key_file=str(folder / "secret_key"), hash_memory_kib=64, hash_rounds=1)
    config = Config(environment="test", database=Database(url=url), auth=auth, log=Log("warning"))
    return create_app(config)


async def _open_chat(workspace: Workspace) -> Chat:
    customer = await workspace.customer()
    started = await customer.start(text=None)
    return Chat(started["session"]["id"], Chatter(customer, "customer"))
