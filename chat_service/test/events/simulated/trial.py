"""One history: three gateways, eight clients, and everything that may go wrong between them.

All of it follows from the seed. At the end every client must have its log, and nothing else.
"""

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Final

from chat_service.events.feed import Feeds, Side
from chat_service.events.source import Growth, moment
from chat_service.schema import Audience
from chat_service.test.events.simulated.clients import Client
from chat_service.test.events.simulated.gateways import Gateway
from chat_service.test.events.simulated.virtual import play
from chat_service.test.events.simulated.world import WORKSPACE, World

GATEWAYS: Final = 3
CLIENTS: Final = 8
SLOW: Final = 3
TROUBLE_SECONDS: Final = 12.0
CALM_SECONDS: Final = 14.0
"""A late answer, the longest way to the next head check, and the reads after that."""
NEVER_PUBLISHED: Final = 0.05
LOST: Final = 0.3
DOUBLED: Final = 0.1


@dataclass(frozen=True, slots=True)
class Parts:
    """What a history is played with; a planted fault is another part."""

    feeds: type[Feeds] = Feeds
    world: type[World] = World


class Trial:
    """A history on its way. The log is rewound in every second one."""

    def __init__(self, seed: int, parts: Parts) -> None:
        self.rewinds = seed % 2 == 1
        self.faults: list[str] = []
        """What was wrong at the end."""
        self._random = Random(seed)
        self.world = parts.world(self._random)
        self.gateways = [
            Gateway(self.world, self._random, parts.feeds, watched=number == 0)
            for number in range(GATEWAYS)
        ]
        self.clients = [self._client(number) for number in range(CLIENTS)]

    async def run(self) -> None:
        """Let there be trouble, then calm."""
        troubles = [self._write(), self._crash(), *([self._rewind()] if self.rewinds else [])]
        tasks = [asyncio.create_task(trouble) for trouble in troubles]
        lives = [asyncio.create_task(self._live(client)) for client in self.clients]
        await asyncio.gather(*tasks)
        await asyncio.sleep(TROUBLE_SECONDS - self._now())
        for gateway in self.gateways:
            gateway.source.unsteady = False
        await asyncio.wait(lives, timeout=CALM_SECONDS)
        for gateway in self.gateways:
            self.faults += gateway.faults(self.world)
        for client in self.clients:
            self.faults += self._faults(client)

    def _faults(self, client: Client) -> list[str]:
        resets = [] if self.rewinds else [f"{reset} without a rewind" for reset in client.resets]
        return client.faults(self.world, messages=not self.rewinds) + resets

    async def _live(self, client: Client) -> None:
        """One connection after the other, each to any gateway; the last one is never cut."""
        while True:
            gateway = self._random.choice([gateway for gateway in self.gateways if gateway.alive])
            seconds = self._random.uniform(0.2, 6.0)
            last = self._now() + seconds > TROUBLE_SECONDS
            await gateway.serve(client, None if last else seconds)
            await asyncio.sleep(self._random.uniform(0.0, 0.5))

    async def _write(self) -> None:
        while self._now() < TROUBLE_SECONDS - 1:
            await asyncio.sleep(self._random.expovariate(4.0))
            many = self._random.random() < 0.02
            self._commit(80 if many else self._random.randint(1, 4))

    async def _crash(self) -> None:
        await asyncio.sleep(self._random.uniform(2.0, 8.0))
        gateway = self._random.choice(self.gateways)
        gateway.crash()
        await asyncio.sleep(self._random.uniform(0.5, 3.0))
        gateway.start()

    async def _rewind(self) -> None:
        """Restore an older state under everybody, and go on from there."""
        await asyncio.sleep(self._random.uniform(2.0, TROUBLE_SECONDS - 0.5))
        lost = 1 + int(self._random.expovariate(0.15))
        self.world.rewind(min(lost, len(self.world.log)))
        for _ in range(self._random.choice((0, 0, 1, 3, 10))):
            self._commit(self._random.randint(1, 4))

    def _commit(self, count: int) -> None:
        """One transaction in one session, and its hint."""
        session_id = self._random.choice(self.world.sessions)
        began, (end, before) = moment(), self.world.head()
        for _ in range(count):
            written = self.world.view(session_id, Side.STAFF)
            if written and self._random.random() < 0.2:
                old = self._random.choice(written)
                internal = old.audience is Audience.INTERNAL
                self.world.write(session_id, internal=internal, change=old)
            else:
                self.world.write(session_id, internal=self._random.random() < 0.3)
        self._offer(Growth(WORKSPACE, before, self.world.rows(end + 1, count), began))
        self._publish(len(self.world.log))

    def _offer(self, growth: Growth) -> None:
        """The process that committed knows of it first, but for one that does nothing else."""
        gateway = self._random.choice([*self.gateways, None])
        if gateway is not None:
            slow = self._random.random() < 0.05
            delay = self._random.uniform(0.0, 1.0 if slow else 0.002)
            asyncio.get_running_loop().call_later(delay, gateway.offer, growth)

    def _publish(self, pos: int) -> None:
        if self._random.random() < NEVER_PUBLISHED:
            return
        for gateway in self.gateways:
            if self._random.random() < LOST:
                continue
            for _ in range(2 if self._random.random() < DOUBLED else 1):
                slow = self._random.random() < 0.2
                delay = self._random.uniform(0.0, 2.0 if slow else 0.02)
                asyncio.get_running_loop().call_later(delay, gateway.hear, pos)

    def _client(self, number: int) -> Client:
        session_id = self.world.sessions[number % len(self.world.sessions)]
        side = Side.STAFF if number % 2 else Side.CUSTOMER
        return Client(session_id, side, self._random, slow=number < SLOW)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def played(seed: int, parts: Parts) -> Trial:
    """The history of a seed, at its end."""

    async def history() -> Trial:
        trial = Trial(seed, parts)
        await trial.run()
        return trial

    return play(history())
