"""How long messages take from who sends to whoever listens, at a steady rate.

Owns the stopwatch and the pace; which way a message goes is for `roads`.
"""

import asyncio
import random
import re
import secrets
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import uvloop

from bench.contenders import percentile
from bench.limits import Readings
from bench.load import LoadError, Usage
from bench.roads import Road, Send

NUMBERED: Final = re.compile(rb"-n(\d{10})")
"""How the id of a message ends; it stands in an event once."""
WARM_UP: Final = 20
"""Messages before those that count."""
GRACE_SECONDS: Final = 10.0
"""How long the last deliveries may take."""


@dataclass
class Stopwatch:
    """When each message was sent, and how long it took to each listener, in seconds."""

    clock: Callable[[], float] = time.perf_counter
    grace: float = GRACE_SECONDS
    taken: "array[float]" = field(default_factory=lambda: array("d"))
    _begun: dict[bytes, float] = field(default_factory=dict)
    _name: str = field(default_factory=lambda: secrets.token_hex(6))

    def start(self) -> str:
        """The id of a message that is sent now."""
        number = f"{len(self._begun):010}"
        self._begun[number.encode()] = self.clock()
        return f"{self._name}-n{number}"

    def hear(self, heard: bytes) -> None:
        """A listener got some messages."""
        now = self.clock()
        for number in NUMBERED.findall(heard):
            self.taken.append(now - self._begun[number])

    async def until(self, count: int) -> None:
        """Wait until so many were heard, and no more; raises LoadError where they are not."""
        end = self.clock() + self.grace
        while len(self.taken) < count and self.clock() < end:
            await asyncio.sleep(0.01)
        if len(self.taken) != count:
            raise LoadError(f"{len(self.taken)} of {count} deliveries")


@dataclass
class Delivery:
    """One road, with `rate` messages a second to each of its `listeners`."""

    road: Road
    rate: float
    listeners: int
    used: Callable[[], Usage]
    grace: float = GRACE_SECONDS

    def turn(self, seconds: int) -> Readings:
        """A warm-up, then messages for so many seconds."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(self._measure(round(self.rate * seconds)))

    async def _measure(self, count: int) -> Readings:
        watch = Stopwatch(grace=self.grace)
        async with self.road(watch.hear) as send:
            await self._pace(watch, send, WARM_UP)
            await watch.until(WARM_UP * self.listeners)
            before, began = self.used(), watch.clock()
            await self._pace(watch, send, count)
            await watch.until((WARM_UP + count) * self.listeners)
            after, seconds = self.used(), watch.clock() - began
        taken = watch.taken[WARM_UP * self.listeners :]
        return {
            "deliveries/s": len(taken) / seconds,
            "p50 ms": percentile(taken, 0.50) * 1e3,
            "p99 ms": percentile(taken, 0.99) * 1e3,
            **{
                f"CPU % {name.removesuffix('_us')}": (after[name] - before[name]) / seconds * 100
                for name in after
            },
        }

    async def _pace(self, watch: Stopwatch, send: Send, count: int) -> None:
        """Send at times that no rhythm of the other side can fall in step with."""
        begin, chance = watch.clock(), random.Random(1)
        for number in range(count):
            due = begin + (number + chance.random()) / self.rate
            await asyncio.sleep(max(0.0, due - watch.clock()))
            send(watch.start())
