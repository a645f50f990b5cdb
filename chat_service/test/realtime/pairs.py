"""Two services on one PostgreSQL, as two processes would be, with an exchange between them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import attrs

from chat_service.app import Service, create_app
from chat_service.config import Config, Realtime
from chat_service.model import migrations
from chat_service.schema import Clock
from chat_service.test.builders import Workspace, build_workspace
from chat_service.test.conftest import config_of
from chat_service.test.events.apart import client_of
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.exchange import Exchange
from chat_service.test.realtime.talkers import Address

QUICK = Realtime(head_check_seconds=0.2, typing_seconds=1.0, presence_seconds=0.1)
"""Nothing takes long that a test waits for."""


@dataclass
class Node:
    """One of the services, where it listens, and one workspace as it is used there."""

    service: Service
    address: Address
    workspace: Workspace


@dataclass
class Pair:
    """Two of them."""

    one: Node
    other: Node
    exchange: Exchange


@asynccontextmanager
async def node(service: Service) -> AsyncIterator[tuple[Service, Address]]:
    """A service that runs, behind a server."""
    with service.database.bound():
        await service.quart.startup()
    async with served(service) as address:
        yield service, address
    with service.database.bound():
        await service.quart.shutdown()


@asynccontextmanager
async def pair_on(
    url: str, folder: Path, clock: Clock, *, realtime: Realtime = QUICK
) -> AsyncIterator[Pair]:
    """Two services on a database, with a workspace of the test's own."""
    config: Config = attrs.evolve(config_of(url, folder), realtime=realtime)
    exchange = Exchange()
    async with AsyncExitStack() as stack:
        made = [create_app(config, clock=clock, broker=exchange.broker()) for _ in range(2)]
        await migrations.upgrade(made[0].database.engine)
        nodes = [await stack.enter_async_context(node(service)) for service in made]
        clients = [await stack.enter_async_context(client_of(service)) for service in made]
        here = await build_workspace(made[0], clients[0])
        there = Workspace(made[1], clients[1], here.id, here.slug, here.inbox_key, here.inbox)
        one, other = (
            Node(service, address, workspace)
            for (service, address), workspace in zip(nodes, (here, there), strict=True)
        )
        yield Pair(one, other, exchange)
