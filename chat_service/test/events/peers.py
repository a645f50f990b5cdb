"""Processes on one broker, as tests see them, and the brokers they may stand on."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]
from nats.aio.client import Client
from sqlalchemy.engine import make_url

from chat_service.config import BrokerSettings
from chat_service.events.broker import Broker, Hint, Message, open_broker
from chat_service.schema import WorkspaceId
from chat_service.test.proxy import Proxy, Reach, reaching, reaching_postgres

CHECK_SECONDS = 0.1
CALM_SECONDS = 15.0
"""For an answer that comes, on however slow a machine."""
HASTY_SECONDS = 2.0
"""For an answer that may never come."""
PATIENCE_SECONDS = 20


class Peer:
    """A process: its broker, and what that told it."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.received: list[Message] = []
        self.outages: list[bool] = []
        self._news = asyncio.Event()

    async def start(self) -> None:
        """Start the broker, which may take its time to be there."""
        await self.broker.start(self._receive, self._note)

    async def hears(self, message: Message) -> None:
        """Wait for a message."""
        await self._until(lambda: message in self.received)

    async def is_told(self, *outages: bool) -> None:
        """Wait until these outages and recoveries were told, since the start."""
        await self._until(lambda: self.outages[: len(outages)] == list(outages))

    async def tells(self, other: "Peer", workspace_id: WorkspaceId) -> None:
        """Repeat a new hint until another hears it, which may have to be there again first."""
        hint = Hint(workspace=workspace_id, pos=len(other.received))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while hint not in other.received:
                self.broker.publish(hint)
                await asyncio.sleep(0.01)

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not holds():
                self._news.clear()
                await self._news.wait()

    def _receive(self, message: Message) -> None:
        self.received.append(message)
        self._news.set()

    def _note(self, outage: bool) -> None:
        self.outages.append(outage)
        self._news.set()


class Place(ABC):
    """A broker at `url` that can be reached, straight or through a proxy."""

    settle_seconds = 0.0
    """From when a process is there until it surely hears the others."""

    def __init__(self, url: str, answer_seconds: float = CALM_SECONDS) -> None:
        self.url = url
        self.answer_seconds = answer_seconds

    @abstractmethod
    def broker(self) -> Broker:
        """A broker object as another process would have it."""

    @abstractmethod
    def reach(self) -> Reach:
        """The way from a proxy to here."""

    @abstractmethod
    def behind(self, proxy: Proxy, answer_seconds: float = HASTY_SECONDS) -> "Place":
        """The same at the end of a proxy, where no answer is waited for very long."""

    @abstractmethod
    async def shout(self, workspace_id: WorkspaceId, text: str) -> None:
        """Send something that no broker of ours would."""

    def settings(self, url: str) -> BrokerSettings:
        """Of a broker that looks after itself often."""
        return BrokerSettings(
            url=url, check_seconds=CHECK_SECONDS, answer_seconds=self.answer_seconds
        )

    @asynccontextmanager
    async def peer(self, *watched: WorkspaceId) -> AsyncIterator[Peer]:
        """A process that is there and listens to some workspaces."""
        async with self.starting_peer(*watched) as peer:
            await peer.is_told(False)
            await asyncio.sleep(self.settle_seconds)
            yield peer

    @asynccontextmanager
    async def starting_peer(self, *watched: WorkspaceId) -> AsyncIterator[Peer]:
        """A process whose broker may not be there yet."""
        peer = Peer(self.broker())
        for workspace_id in watched:
            peer.broker.watch(workspace_id)
        async with AsyncExitStack() as end:
            await peer.start()
            end.push_async_callback(peer.broker.stop)
            yield peer


class PostgresPlace(Place):
    """A database."""

    def broker(self) -> Broker:
        """By LISTEN and NOTIFY."""
        return open_broker(self.settings(""), self.url)

    def reach(self) -> Reach:
        """By its socket or port."""
        return reaching_postgres(self.url)

    def behind(self, proxy: Proxy, answer_seconds: float = HASTY_SECONDS) -> Place:
        """By TCP."""
        url = make_url(self.url).difference_update_query(["host"])
        there = url.set(host="127.0.0.1", port=proxy.port)
        return PostgresPlace(there.render_as_string(hide_password=False), answer_seconds)

    async def shout(self, workspace_id: WorkspaceId, text: str) -> None:
        """To everybody, on the one channel."""
        url = make_url(self.url).set(drivername="postgresql")
        connection = await asyncpg.connect(url.render_as_string(hide_password=False))
        await connection.execute("SELECT pg_notify('chat_service', $1)", text)
        await connection.close()


class NatsPlace(Place):
    """A NATS server. It may lose the first message after a connection was made, as any broker may."""

    settle_seconds = 0.1

    def broker(self) -> Broker:
        """With nats-py; the database does not matter."""
        return open_broker(self.settings(self.url), "sqlite:///chat.db")

    def reach(self) -> Reach:
        """By TCP."""
        address = urlsplit(self.url)
        assert address.hostname and address.port
        return reaching(address.hostname, address.port)

    def behind(self, proxy: Proxy, answer_seconds: float = HASTY_SECONDS) -> Place:
        """By another port."""
        return NatsPlace(f"nats://127.0.0.1:{proxy.port}", answer_seconds)

    async def shout(self, workspace_id: WorkspaceId, text: str) -> None:
        """On the subject of the workspace."""
        client = Client()
        await client.connect(self.url)
        await client.publish(f"chat-service.{workspace_id.hex}", text.encode())
        await client.flush()
        await client.close()


class Machine(Protocol):
    """A server that may be killed and started again."""

    def start(self) -> None:
        """Wait until it accepts connections."""

    def kill(self) -> None:
        """End it by SIGKILL."""
