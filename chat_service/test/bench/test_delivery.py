"""What is measured of a delivery: each listener once, late ones and lost ones."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from bench.delivery import Delivery, Stopwatch
from bench.limits import Limit, LimitRow, PlayedLimits
from bench.load import LoadError
from bench.roads import Road, Send
from bench.sockets import Hear

RATE = 2_000.0


def road_to(listeners: int) -> Road:
    """Hands each message on at once."""

    @asynccontextmanager
    async def road(hear: Hear) -> AsyncIterator[Send]:
        def send(name: str) -> None:
            for _ in range(listeners):
                hear(f'{{"id":"{name}"}}'.encode())

        yield send

    return road


def used() -> Mapping[str, float]:
    return {"server_us": 0.0}


def test_a_stopwatch_times_each_message_of_each_batch() -> None:
    now = [10.0]
    watch = Stopwatch(clock=lambda: now[0])
    first = watch.start()
    now[0] = 11.0
    second = watch.start()
    now[0] = 13.0
    watch.hear(f"[{first},{second}]".encode())
    watch.hear(second.encode())
    assert list(watch.taken) == [3.0, 2.0, 2.0]


def test_counts_every_delivery_but_those_that_warm_up() -> None:
    readings = Delivery(road_to(3), RATE, 3, used).turn(1)
    assert readings["deliveries/s"] == pytest.approx(3 * RATE, rel=0.5)
    assert readings["p50 ms"] <= readings["p99 ms"]
    assert readings["CPU % server"] == 0


@pytest.mark.parametrize("listeners", [1, 3])
def test_a_lost_or_doubled_delivery_ends_the_run(listeners: int) -> None:
    with pytest.raises(LoadError, match="deliveries"):
        Delivery(road_to(listeners), RATE, 2, used, grace=0.1).turn(1)


def test_a_limit_is_a_number_or_so_many_times_a_peer() -> None:
    row = LimitRow("weight", ("service", "echo"), (), most_runs=3)
    rounds = [{"service": {"KiB": kib}, "echo": {"KiB": 10.0}} for kib in (15.0, 12.0, 13.0)]
    played = PlayedLimits(row, rounds)
    assert played.value(Limit("service", "KiB", 26)) == 13.0
    assert played.value(Limit("service", "KiB", 1.3, over="echo")) == 1.3
    assert played.values(Limit("service", "KiB", 1.3, over="echo")) == [1.5, 1.2, 1.3]
    assert played.middle("service") == {"KiB": 13.0}
