"""Two services in one process, one to write at and one to listen at, with trouble between them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from random import Random

from chat_service.app import Service, create_app
from chat_service.config import Config
from chat_service.events.broker import Broker, open_broker
from chat_service.model import is_sqlite
from chat_service.test.builders import Workspace, build_workspace
from chat_service.test.events.apart import client_of
from chat_service.test.realtime.exchange import Exchange
from chat_service.test.realtime.pairs import node
from chat_service.test.realtime.talkers import Address
from chat_service.test.realtime.trouble import Trouble


@dataclass
class Crossing:
    """A workspace as it is used at the one service, and where the other one listens."""

    workspace: Workspace
    address: Address
    trouble: Trouble


@asynccontextmanager
async def crossing_on(config: Config, *, seed: int = 1) -> AsyncIterator[Crossing]:
    """Two services on a database that is there, and a workspace of the test's own.

    A SQLite file is served by one process alone: what writes there is a program beside it, as the
    command line is, which has a broker but listens to nobody.
    """
    trouble, exchange = Trouble(Random(seed)), Exchange()
    here, there = [create_app(config, broker=trouble.on(_broker(config, exchange))) for _ in "12"]
    async with AsyncExitStack() as stack:
        _, address = await stack.enter_async_context(node(there))
        if is_sqlite(here.database.engine):
            stack.push_async_callback(_let_go, here)
        else:
            await stack.enter_async_context(node(here))
        client = await stack.enter_async_context(client_of(here))
        yield Crossing(await build_workspace(here, client), address, trouble)


async def _let_go(service: Service) -> None:
    await service.lanes.flush()
    await service.database.engine.dispose()


def _broker(config: Config, exchange: Exchange) -> Broker:
    if config.database.url.startswith("sqlite"):
        return exchange.broker()
    return open_broker(config.broker, config.database.url)
