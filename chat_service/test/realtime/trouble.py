"""Trouble between services: brokers that lose, double, delay and reorder, by a seed, and blackouts.

Stands in front of any broker, the exchange of one process or a real one.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from chat_service.events.broker import Broker, Hint, Message
from chat_service.schema import WorkspaceId


@dataclass
class Trouble:
    """What happens to the messages that arrive; all shares are 0 to 1, and at first nothing does."""

    random: Random
    lost: float = 0.0
    doubled: float = 0.0
    delayed: float = 0.0
    most_seconds: float = 0.05
    """How long a message is delayed at most; so it may be overtaken."""
    mute: bool = False
    """Nothing is published, as by a process that ends between a commit and its hint."""
    happened: Counter[str] = field(default_factory=Counter)
    """How often what befell a message."""
    is_dark: bool = False
    _brokers: "list[TroubledBroker]" = field(default_factory=list)

    def on(self, broker: Broker) -> "TroubledBroker":
        """A broker with this trouble on its way."""
        troubled = TroubledBroker(broker, self)
        self._brokers.append(troubled)
        return troubled

    def black_out(self) -> None:
        """Nothing comes through, and every service is told so."""
        self.is_dark = True
        self._tell(down=True)

    def recover(self) -> None:
        """All is well again."""
        self.is_dark = False
        self._tell(down=False)

    def strike(self) -> list[float]:
        """After how many seconds each copy of a message arrives."""
        if self.is_dark or self._happens("lost", self.lost):
            return []
        copies = 2 if self._happens("doubled", self.doubled) else 1
        return [self._delay() for _ in range(copies)]

    def _delay(self) -> float:
        late = self._happens("delayed", self.delayed)
        return self.random.uniform(0, self.most_seconds) if late else 0.0

    def _happens(self, what: str, share: float) -> bool:
        happens = self.random.random() < share
        self.happened[what] += happens
        return happens

    def _tell(self, *, down: bool) -> None:
        for broker in self._brokers:
            broker.outage(down)


class TroubledBroker:
    """One service's end of a broker, with trouble before it."""

    def __init__(self, broker: Broker, trouble: Trouble) -> None:
        self._broker = broker
        self._trouble = trouble
        self._receive: Callable[[Message], None] = lambda _: None
        self.outage: Callable[[bool], None] = lambda _: None
        self._last = 0

    async def start(
        self, receive: Callable[[Message], None], outage: Callable[[bool], None]
    ) -> None:
        """Begin to hear what is left of what was said."""
        self._receive, self.outage = receive, outage
        await self._broker.start(self._take, self._report)

    async def stop(self) -> None:
        """Hear no more."""
        self.outage = lambda _: None
        await self._broker.stop()

    def publish(self, message: Message) -> None:
        """Let the others know, unless nothing leaves this process."""
        if self._trouble.mute or self._trouble.is_dark:
            self._trouble.happened["unsaid"] += 1
        else:
            self._broker.publish(message)

    def watch(self, workspace_id: WorkspaceId) -> None:
        """Pass it on."""
        self._broker.watch(workspace_id)

    def unwatch(self, workspace_id: WorkspaceId) -> None:
        """Pass it on."""
        self._broker.unwatch(workspace_id)

    def _report(self, down: bool) -> None:
        """A connection that is made while all is dark brings no light."""
        self.outage(down or self._trouble.is_dark)

    def _take(self, message: Message) -> None:
        loop = asyncio.get_running_loop()
        for seconds in self._trouble.strike():
            loop.call_later(seconds, self._deliver, message)

    def _deliver(self, message: Message) -> None:
        if isinstance(message, Hint):
            self._trouble.happened["overtaken"] += message.pos < self._last
            self._last = max(self._last, message.pos)
        self._receive(message)
