"""Several nodes of a service behind a balancer, with people who write, read and follow."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final

from chat_service.test.faults.acks import Acks
from chat_service.test.faults.balancer import Balancer, Balancing
from chat_service.test.faults.followers import Restless, Subscriber, WithClient
from chat_service.test.faults.notes import Notes
from chat_service.test.faults.readers import Readers
from chat_service.test.faults.stored import read_history
from chat_service.test.faults.stores import Store
from chat_service.test.faults.talks import Way
from chat_service.test.faults.tenants import Tenant, build_tenant, client_of
from chat_service.test.faults.victim import Victim
from chat_service.test.faults.writers import Writers

AGENTS: Final = 3
CHATS: Final = 3
SETTINGS: Final = {
    "REALTIME_SOCKETS_PER_CUSTOMER": "200",
    "REALTIME_SOCKETS_PER_AGENT": "200",
}
"""Many follow for one person, and come again before the service has noticed that they had left."""
CLIENTS: Final = 0.25
"""How many of those who follow use the Python client."""
CUT_EACH: Final = (0.5, 5.0)
"""Between how many seconds the connection of one of those is cut."""
CATCH_UP: Final = 60.0
"""Seconds in which everybody has to hear the end, however late the machine is."""


@dataclass
class Fleet:
    """Running nodes, their database, and one workspace; `road` is the cut one of the clients."""

    store: Store
    nodes: Sequence[Victim]
    balancer: Balancing
    road: Balancer
    tenant: Tenant
    notes: Notes
    writers: Writers
    readers: Readers
    random: Random
    ways: Sequence[Way]
    subscribers: list[Subscriber] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _resting: bool = False

    def follow(self, count: int, *, stays: tuple[float, float]) -> None:
        """Let `count` follow: customers and staff, from the beginning or from now; `road` is cut."""
        clients = round(count * CLIENTS)
        for at in range(count):
            chat = self.tenant.chats[at // 2 % len(self.tenant.chats)]
            who = chat.customer if at % 2 else self.random.choice(self.tenant.agents)
            known = (f"subscriber {at}", chat, who, self.notes)
            if at < clients:
                self.subscribers.append(WithClient(*known, address=self.road.address))
                continue
            restless = Restless(*known, ways=self.ways, random=self.random, stays=stays)
            if at % 4 > 1:
                restless.forget()
            self.subscribers.append(restless)
        self._tasks = [asyncio.create_task(each.follow()) for each in self.subscribers]
        self._tasks.append(asyncio.create_task(self._cut(clients)))

    @property
    def reconnects(self) -> int:
        """How often somebody has gone on where he was by now, but for those with clients."""
        return sum(stretch.resumed and stretch.after > 0 for stretch in self.notes.stretches)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something, or for somebody to give up."""
        while not holds():
            await asyncio.sleep(0.02)
            self.writers.raise_if_failed()
            for task in self._tasks:
                if task.done():
                    task.result()

    async def acknowledged(self, count: int) -> None:
        """Wait for so many more acknowledgements."""
        wanted = self.notes.acks.count + count
        await self.until(lambda: self.notes.acks.count >= wanted)

    async def come_to_rest(self) -> list[str]:
        """Let everybody be answered and hear the end, then stop; everything that is wrong."""
        self._resting = True
        await self.writers.stop()
        await self.readers.stop()
        with suppress(TimeoutError):  # a check tells who has not
            await self.hear_all()
        return await self.leave() + await self.notes.violations(self.store.url)

    async def leave(self) -> list[str]:
        """Let nobody follow any more; what somebody has failed with."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        return [f"failed: {end!r}" for end in ends if isinstance(end, Exception)]

    async def hear_all(self, kind: type[Subscriber] = Subscriber) -> float:
        """Wait until everybody of a kind has heard what is stored now; how many seconds it took."""
        stored = await read_history(self.store.url)
        sessions = {str(each.id): each for each in stored.sessions}
        ends = {
            "customer": {name: each.last_public_seq for name, each in sessions.items()},
            "staff": {name: each.last_seq for name, each in sessions.items()},
        }
        began = monotonic()
        async with asyncio.timeout(CATCH_UP):
            await self.until(
                lambda: all(
                    each.ear.number >= ends[each.viewer][each.session_id]
                    for each in self.subscribers
                    if isinstance(each, kind)
                )
            )
        return monotonic() - began

    async def _cut(self, clients: int) -> None:
        while True:
            await asyncio.sleep(self.random.uniform(*CUT_EACH) / clients)
            if not self._resting:
                self.road.cut(self.random.randrange(clients))


@asynccontextmanager
async def fleet_on(
    store: Store,
    folder: Path,
    random: Random,
    *,
    settings: Mapping[str, str] | None = None,
    before: Callable[[Sequence[str]], Balancing] = Balancer,
    straight: bool = True,
) -> AsyncIterator[Fleet]:
    """Two nodes on a PostgreSQL, one on a SQLite file; killed at the end.

    Who follows goes to the nodes `straight`, or through what stands `before` them, as all others.
    """
    count = 1 if store.backend == "sqlite" else 2
    nodes = [Victim(store.url, folder, SETTINGS | dict(settings or {})) for _ in range(count)]
    acks, addresses = Acks(folder / f"acks-{nodes[0].port}"), [node.address for node in nodes]
    balancer, road = before(addresses), Balancer(addresses)
    async with AsyncExitStack() as stack:
        stack.callback(acks.close)
        for node in nodes:
            stack.callback(node.kill)
        await asyncio.gather(*(node.start() for node in nodes))
        await stack.enter_async_context(balancer.open())
        await stack.enter_async_context(road.open())
        ways = [
            Way(
                address.removeprefix("http://"), await stack.enter_async_context(client_of(address))
            )
            for address in (addresses if straight else [balancer.address])
        ]
        await balancer.has_all()
        client = await stack.enter_async_context(client_of(balancer.address))
        tenant = await build_tenant(store.url, folder, client, agents=AGENTS, chats=CHATS)
        notes = Notes(acks)
        people = (tenant, notes, random)
        fleet = Fleet(
            store,
            nodes,
            balancer,
            road,
            tenant,
            notes,
            Writers(*people),
            Readers(*people),
            random,
            ways,
        )
        stack.push_async_callback(fleet.leave)
        yield fleet
