"""Rounds of live delivery: people write and follow, something breaks, and all have to hear it all."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg

from chat_service.test.faults.balancer import PATIENCE, Balancer
from chat_service.test.faults.fleet import Fleet, fleet_on
from chat_service.test.faults.followers import Restless
from chat_service.test.faults.haproxy import Haproxy
from chat_service.test.faults.rounds import Outcome
from chat_service.test.faults.stores import Store
from chat_service.test.nats_server import Server as Nats
from chat_service.test.proxy import Proxy, proxied, reaching

NATS: Final = "nats"
Step = Callable[[], None]


class LiveKind(StrEnum):
    """What happens while people follow."""

    RECONNECTS = "reconnects"
    """Everybody comes again and again, and in the middle a node is killed by SIGKILL."""
    NATS_KILLED = "nats_killed"
    """The broker is killed, with all that it knows, and started again."""
    NATS_STOPPED = "nats_stopped"
    """The broker stands still."""
    NATS_UNREACHABLE = "nats_unreachable"
    """The road to the broker swallows everything."""
    DATABASE_RESTARTED = "database_restarted"
    """PostgreSQL is stopped, and started again."""
    ROLLING_RESTART = "rolling_restart"
    """Each node is restarted by SIGTERM, one after the other."""
    ROLLING_RESTART_BEHIND_HAPROXY = "rolling_restart_behind_haproxy"
    """The same with HAProxy before the nodes."""


OUTAGES_OF_NATS: Final = (
    LiveKind.NATS_KILLED,
    LiveKind.NATS_STOPPED,
    LiveKind.NATS_UNREACHABLE,
)
ROLLING: Final = (LiveKind.ROLLING_RESTART, LiveKind.ROLLING_RESTART_BEHIND_HAPROXY)
KINDS: Final[Mapping[str, Sequence[LiveKind]]] = {
    "sqlite": (LiveKind.RECONNECTS,),
    "postgres": (LiveKind.RECONNECTS, LiveKind.DATABASE_RESTARTED, *ROLLING),
    NATS: (LiveKind.RECONNECTS, *OUTAGES_OF_NATS, *ROLLING),
}
"""What can happen on which backend; `nats` is NATS beside PostgreSQL."""


@dataclass(frozen=True)
class Extent:
    """How much of it, and how long: settings of the service go with it."""

    writers: int
    readers: int
    subscribers: int
    sends: int
    """How many have to be acknowledged before, while, and after something is broken."""
    reconnects: int
    stays: tuple[float, float]
    """Between how many seconds a connection lasts."""
    away: tuple[float, float]
    """For how many seconds a killed node is away, before it is started."""
    outage: float
    """Seconds."""
    settings: Mapping[str, str]


PATIENT: Final = {"LIMITS_LANE_SECONDS": "30", "DATABASE_POOL_SECONDS": "30"}
"""On a machine that has no time a node had better be late than refuse: that is another test."""
FULL: Final = Extent(
    writers=8,
    readers=4,
    subscribers=24,
    sends=100,
    reconnects=500,
    stays=(0.1, 5.0),
    away=(0.1, 3.0),
    outage=60.0,
    settings=PATIENT | {"SERVER_BALANCER_SECONDS": "3", "SERVER_DRAIN_WINDOW_SECONDS": "10"},
)
SHORT: Final = Extent(
    writers=4,
    readers=2,
    subscribers=6,
    sends=8,
    reconnects=24,
    stays=(0.1, 1.0),
    away=(0.1, 0.5),
    outage=2.0,
    settings=PATIENT
    | {
        "SERVER_BALANCER_SECONDS": "2",
        "SERVER_DRAIN_WINDOW_SECONDS": "1",
        "BROKER_CHECK_SECONDS": "0.5",
        "BROKER_ANSWER_SECONDS": "1",
        "REALTIME_HEAD_CHECK_SECONDS": "0.5",
    },
)


@asynccontextmanager
async def live_round_on(
    store: Store,
    folder: Path,
    random: Random,
    kind: LiveKind,
    extent: Extent,
    *,
    nats: Nats | None = None,
) -> AsyncIterator["LiveRound"]:
    """A service for a round of that kind; with `nats` that is the broker."""
    before = Haproxy if kind is LiveKind.ROLLING_RESTART_BEHIND_HAPROXY else Balancer
    settings = dict(extent.settings)
    async with AsyncExitStack() as stack:
        road = None
        if nats is not None:
            road = await stack.enter_async_context(proxied(reaching("127.0.0.1", nats.port)))
            settings["BROKER_URL"] = f"nats://127.0.0.1:{road.port}"
        fleet = await stack.enter_async_context(
            fleet_on(
                store,
                folder,
                random,
                settings=settings,
                before=before,
                straight=kind not in ROLLING,
            )
        )
        yield LiveRound(fleet, kind, extent, (nats, road))


class LiveRound:
    """A service with people, to be broken once."""

    def __init__(
        self,
        fleet: Fleet,
        kind: LiveKind,
        extent: Extent,
        broker: tuple[Nats | None, Proxy | None],
    ) -> None:
        self.fleet = fleet
        self._kind = kind
        self._extent = extent
        self._nats, self._road = broker
        self._wrong: list[str] = []
        self._remarks: list[str] = []

    async def play(self) -> Outcome:
        """The round."""
        fleet, notes, extent = self.fleet, self.fleet.notes, self._extent
        fleet.follow(extent.subscribers, stays=extent.stays)
        fleet.writers.start(extent.writers)
        fleet.readers.start(extent.readers)
        await fleet.acknowledged(extent.sends)
        if self._nats is not None:
            await _hear_a_hint(self._nats)
        await self._break()
        await fleet.acknowledged(extent.sends)
        violations = self._wrong + await fleet.come_to_rest()
        acks, retries = notes.acks.count, len(notes.unanswered)
        remark = ", ".join([f"{fleet.reconnects} reconnects", *self._remarks])
        return Outcome(self._kind, acks + retries, acks, retries, violations, remark)

    async def _break(self) -> None:
        if self._kind is LiveKind.RECONNECTS:
            await self._reconnect()
        elif self._kind in ROLLING:
            await self._restart_all()
        elif self._kind is LiveKind.DATABASE_RESTARTED:
            await self._restart_database()
        else:
            await self._be_without_broker(*self._outage())

    async def _reconnect(self) -> None:
        fleet, wanted = self.fleet, self._extent.reconnects
        await fleet.until(lambda: fleet.reconnects >= wanted / 2)
        node = fleet.random.choice(fleet.nodes)
        node.kill()
        await asyncio.sleep(fleet.random.uniform(*self._extent.away))
        await node.start()
        await fleet.until(lambda: fleet.reconnects >= wanted)

    async def _restart_all(self) -> None:
        """Nobody may notice, but those who follow, who come again."""
        fleet = self.fleet
        for node in fleet.nodes:
            began = monotonic()
            node.sigterm()
            await node.ended()
            self._remarks.append(f"left within {monotonic() - began:.1f} s")
            await node.start()
            await fleet.balancer.has_all()
            await fleet.acknowledged(self._extent.sends)
        if fleet.notes.refusals:
            self._wrong.append(f"refused or lost: {fleet.notes.refusals}")

    async def _restart_database(self) -> None:
        server = self.fleet.store.server
        assert server is not None
        await asyncio.to_thread(server.stop)
        try:
            await asyncio.sleep(self._extent.outage)
        finally:
            await asyncio.to_thread(server.start)

    async def _be_without_broker(self, begin: Step, end: Step) -> None:
        """Sends are answered, new connections open, and everybody hears everything."""
        fleet, over = self.fleet, monotonic() + self._extent.outage
        refused, reconnects = Counter(fleet.notes.refusals), fleet.reconnects
        await asyncio.to_thread(begin)
        try:
            await fleet.acknowledged(self._extent.sends)
            await fleet.until(lambda: fleet.reconnects > reconnects + self._extent.subscribers)
            # The client waits longer from cut to cut; it hears the rest when nobody cuts it any more.
            late = await fleet.hear_all(Restless)
            await fleet.until(lambda: monotonic() > over)
        finally:
            await asyncio.to_thread(end)
        self._remarks.append(f"heard within {late:.1f} s without broker")
        if fleet.notes.refusals != refused:
            self._wrong.append(f"refused without broker: {fleet.notes.refusals - refused}")

    def _outage(self) -> tuple[Step, Step]:
        nats, road = self._nats, self._road
        assert nats is not None and road is not None
        steps: dict[LiveKind, tuple[Step, Step]] = {
            LiveKind.NATS_KILLED: (nats.kill, nats.start),
            LiveKind.NATS_STOPPED: (nats.sigstop, nats.sigcont),
            LiveKind.NATS_UNREACHABLE: (road.hold, road.let_go),
        }
        return steps[self._kind]


async def _hear_a_hint(nats: Nats) -> None:
    """Wait until the nodes use the broker: it could not be missed otherwise."""
    client, heard = Client(), asyncio.Event()

    async def hear(_: Msg) -> None:
        heard.set()

    await client.connect(nats.url)
    await client.subscribe(">", cb=hear)
    try:
        async with asyncio.timeout(PATIENCE):
            await heard.wait()
    finally:
        await client.close()
