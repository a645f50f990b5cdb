"""A broker between services of one test: joins them, keeps what was said, or delivers nothing."""

import asyncio
from collections.abc import Callable

from chat_service.events.broker import Message
from chat_service.events.broker_messages import MOST_BYTES, decode, encode
from chat_service.schema import WorkspaceId


class Exchange:
    """What several services are joined by. While it is `silent` everything is lost."""

    def __init__(self) -> None:
        self.silent = False
        self.said: list[bytes] = []
        self._joined: dict["Joined", Callable[[Message], None]] = {}

    def broker(self) -> "Joined":
        """A broker for one more service."""
        return Joined(self)

    def join(self, who: "Joined", receive: Callable[[Message], None]) -> None:
        """Deliver to this one from now on."""
        self._joined[who] = receive

    def leave(self, who: "Joined") -> None:
        """Deliver to it no more."""
        del self._joined[who]

    def carry(self, who: "Joined", message: Message) -> None:
        """Deliver to all others, in a while."""
        data = encode(message)
        assert len(data) <= MOST_BYTES
        self.said.append(data)
        if not self.silent:
            for other, receive in self._joined.items():
                if other is not who:
                    asyncio.get_running_loop().call_soon(receive, decode(data))


class Joined:
    """One service's end of an exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def start(
        self, receive: Callable[[Message], None], outage: Callable[[bool], None]
    ) -> None:
        """Be joined."""
        self._exchange.join(self, receive)
        outage(False)

    async def stop(self) -> None:
        """Be joined no more."""
        self._exchange.leave(self)

    def publish(self, message: Message) -> None:
        """Let the others know."""
        self._exchange.carry(self, message)

    def watch(self, workspace_id: WorkspaceId) -> None:
        """Everything is delivered."""

    def unwatch(self, workspace_id: WorkspaceId) -> None:
        """Everything is delivered all the same."""
