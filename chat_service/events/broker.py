"""How processes tell each other at once what each would find by itself some seconds later.

Owns the interface of a broker and the choice of one. It may lose, double, delay and reorder
everything: what was missed is found by the checks of heads, and what counts stands in the log.
"""

from collections.abc import Callable
from typing import Protocol

from sqlalchemy.engine import make_url

from chat_service.config import BrokerSettings
from chat_service.events.broker_messages import Ephemeral, Hint, Message
from chat_service.events.broker_nats import NatsBroker
from chat_service.events.broker_postgres import PostgresBroker
from chat_service.schema import WorkspaceId

__all__ = ["Broker", "Ephemeral", "Hint", "LocalBroker", "Message", "open_broker"]


class Broker(Protocol):
    """Carries messages to the other processes; belongs to the event loop it was started in."""

    async def start(
        self, receive: Callable[[Message], None], outage: Callable[[bool], None]
    ) -> None:
        """Begin, and return at once: where the broker cannot be reached, it goes on trying.

        `receive` is called with what other processes published, never with what this one did.
        `outage` is called with True when the broker is known to be down, and with False when it is
        there again, also the first time: until then something may have been missed.
        """

    async def stop(self) -> None:
        """Send what still waits, if that is soon possible, and end."""

    def publish(self, message: Message) -> None:
        """Let the other processes know, if that is possible; never waits, and fails silently."""

    def watch(self, workspace_id: WorkspaceId) -> None:
        """Receive what is published for a workspace. Watch before reading its head."""

    def unwatch(self, workspace_id: WorkspaceId) -> None:
        """There is no listener of this workspace here any more."""


class LocalBroker:
    """The broker of a process that is alone: there is nobody to tell."""

    async def start(
        self, receive: Callable[[Message], None], outage: Callable[[bool], None]
    ) -> None:
        """Be there; nothing is ever received."""
        outage(False)

    async def stop(self) -> None:
        """Nothing waits."""

    def publish(self, message: Message) -> None:
        """Nobody else is there."""

    def watch(self, workspace_id: WorkspaceId) -> None:
        """Nothing would arrive."""

    def unwatch(self, workspace_id: WorkspaceId) -> None:
        """Nothing arrives."""


def open_broker(config: BrokerSettings, database_url: str) -> Broker:
    """The broker that `config.url` names, for a service on this database; not started yet."""
    on_postgres = make_url(database_url).get_backend_name() == "postgresql"
    url = config.url or ("postgres://" if on_postgres else "memory://")
    if url == "memory://":
        return LocalBroker()
    if url == "postgres://":
        return PostgresBroker(database_url, config)
    return NatsBroker(url, config)
