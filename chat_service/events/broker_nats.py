"""The broker of a large installation: NATS core, which keeps nothing and needs nothing kept.

Owns one connection of this process and one subject a workspace, subscribed while the workspace has
a listener here. A NATS client that loses its server is not used again: a new one is made, so that
there is one way back whatever went wrong.
"""

import asyncio
from collections.abc import Sequence
from math import ceil
from typing import Any, Final, cast
from urllib.parse import unquote

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.aio.transport import TcpTransport

from chat_service.config import NATS_URL, BrokerSettings
from chat_service.events.broker_link import Link, LinkedBroker, Outgoing, Take
from chat_service.schema import WorkspaceId

PENDING_MESSAGES: Final = 8_192
PENDING_BYTES: Final = 8_388_608

log = structlog.get_logger(__name__)


class NatsBroker(LinkedBroker):
    """The cluster at `url`, which fits NATS_URL."""

    def __init__(self, url: str, settings: BrokerSettings) -> None:
        super().__init__(settings, pause_seconds=0)
        self._arguments = _arguments_of(url)
        self._watched: set[WorkspaceId] = set()
        self._link: _NatsLink | None = None

    def watch(self, workspace_id: WorkspaceId) -> None:
        """Receive what is published for a workspace, from soon on."""
        self._watched.add(workspace_id)
        self._follow(workspace_id)

    def unwatch(self, workspace_id: WorkspaceId) -> None:
        """Receive no more of a workspace, from soon on."""
        self._watched.discard(workspace_id)
        self._follow(workspace_id)

    async def _connect(self, take: Take) -> Link:
        link = _NatsLink(take, self._watched, self._settings.answer_seconds)
        # From here on, for what is watched while it connects.
        self._link = link
        try:
            await link.open(self._arguments)
        except BaseException:
            await link.close()
            raise
        return link

    def _follow(self, workspace_id: WorkspaceId) -> None:
        if self._link is not None:
            self._link.follow(workspace_id)


class _NatsLink:
    """A client and its subscriptions."""

    def __init__(self, take: Take, watched: set[WorkspaceId], answer_seconds: float) -> None:
        self._client = Client()
        self._take = take
        self._watched = watched
        self._answer_seconds = answer_seconds
        self._subscriptions: dict[WorkspaceId, Subscription] = {}
        self._changed = set(watched)
        self._wake = asyncio.Event()

    async def open(self, arguments: dict[str, Any]) -> None:
        """Connect, subscribe to what is watched and wait for an answer to that."""
        await self._client.connect(
            error_cb=self._report,
            closed_cb=self._end,
            allow_reconnect=False,
            reconnect_time_wait=0,
            max_reconnect_attempts=1,
            no_echo=True,
            **arguments,
        )
        await self._subscribe()
        await self.check()

    def follow(self, workspace_id: WorkspaceId) -> None:
        """Let the subscription of a workspace be made or ended, as it is watched or not."""
        self._changed.add(workspace_id)
        self._wake.set()

    async def serve(self) -> None:
        """Keep the subscriptions until the end."""
        while not self._client.is_closed:
            await self._wake.wait()
            self._wake.clear()
            await self._subscribe()
        raise ConnectionResetError("the client has lost its server")

    async def send(self, outgoing: Sequence[Outgoing]) -> None:
        """Hand over to the client, which writes all in one go."""
        for workspace_id, data in outgoing:
            await self._client.publish(_subject_of(workspace_id), data)
            _raise_if_cancelled()

    async def check(self) -> None:
        """Wait for an answer of the server."""
        await self._client.flush(timeout=ceil(self._answer_seconds))
        _raise_if_cancelled()

    async def close(self) -> None:
        """Close the client, and cut its connection where that takes no more."""
        try:
            async with asyncio.timeout(self._answer_seconds):
                await self._client.close()
        except TimeoutError:
            # The client has no way of its own to give up what it could not write.
            transport = cast(TcpTransport, self._client._transport)
            cast(asyncio.StreamWriter, transport._bare_io_writer).transport.abort()

    async def _subscribe(self) -> None:
        while self._changed:
            workspace_id = self._changed.pop()
            subscription = self._subscriptions.pop(workspace_id, None)
            if workspace_id in self._watched:
                subscription = subscription or await self._subscribe_to(workspace_id)
                self._subscriptions[workspace_id] = subscription
            elif subscription is not None:
                await subscription.unsubscribe()
            _raise_if_cancelled()

    async def _subscribe_to(self, workspace_id: WorkspaceId) -> Subscription:
        return await self._client.subscribe(
            _subject_of(workspace_id),
            cb=self._deliver,
            pending_msgs_limit=PENDING_MESSAGES,
            pending_bytes_limit=PENDING_BYTES,
        )

    async def _deliver(self, message: Msg) -> None:
        self._take(message.data)

    async def _report(self, error: Exception) -> None:
        # While it connects, the error that ends the attempt is the one to tell.
        if self._client.is_connected:
            log.warning("an error of the NATS client", exc_info=error)

    async def _end(self) -> None:
        self._wake.set()


def _raise_if_cancelled() -> None:
    """Make up for the client, which swallows a cancellation that meets it in certain places."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError()


def _subject_of(workspace_id: WorkspaceId) -> str:
    return f"chat-service.{workspace_id.hex}"


def _arguments_of(url: str) -> dict[str, Any]:
    """How the client reaches the cluster: in which order it tries the servers is its own choice."""
    parts = NATS_URL.fullmatch(url)
    if parts is None:
        raise ValueError("not the address of a NATS cluster")
    arguments: dict[str, Any] = {
        "name": "chat-service",
        "servers": [f"nats://{host}" for host in parts["hosts"].split(",")],
    }
    if parts["password"] is not None:
        arguments |= {"user": unquote(parts["user"]), "password": unquote(parts["password"])}
    elif parts["user"] is not None:
        arguments |= {"token": unquote(parts["user"])}
    return arguments
