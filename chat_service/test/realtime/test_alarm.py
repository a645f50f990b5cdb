"""The timers of a connection: whoever waits is woken in time, and only a late step is told of."""

import asyncio
import time

import pytest

from chat_service.realtime.alarm import Bell, Watch


def never() -> float:
    """In longer than a test takes."""
    return 60.0


def soon() -> float:
    """In a moment."""
    return 0.01


async def test_a_ring_wakes_who_waits() -> None:
    bell = Bell()
    waiting = asyncio.create_task(bell.wait(never))
    await asyncio.sleep(0)
    bell.ring()
    bell.ring()
    await waiting
    bell.stop()


async def test_a_ring_before_the_wait_is_not_forgotten_and_counts_once() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    assert not await bell.wait(never)
    again = asyncio.create_task(bell.wait(never))
    await asyncio.sleep(0.02)
    assert not again.done()
    bell.ring()
    await again
    bell.stop()


async def test_time_rings_though_nobody_does_and_again_after_that() -> None:
    bell = Bell()
    for _ in range(3):
        assert await bell.wait(soon)


async def test_a_timer_that_runs_is_kept_and_rings_early() -> None:
    """It was asked for first: who then waits longer is woken, and looks."""
    bell = Bell()
    bell.ring()
    await bell.wait(soon)
    first = asyncio.create_task(bell.wait(soon))
    await asyncio.sleep(0)
    bell.ring()
    await first
    await bell.wait(never)


async def test_time_comes_though_the_bell_is_rung_again_and_again() -> None:
    bell, came = Bell(), False
    for _ in range(1000):
        bell.ring()
        came |= await bell.wait(soon)
        await asyncio.sleep(0.001 if not came else 0)
    assert came
    bell.stop()


async def test_time_that_may_come_sooner_is_looked_at_and_planned_anew() -> None:
    bell = Bell()
    first = asyncio.create_task(bell.wait(never))
    await asyncio.sleep(0)
    bell.look()
    assert await first
    assert await bell.wait(soon)
    bell.stop()


async def test_a_step_that_is_too_slow_is_told_of_once() -> None:
    told: list[bool] = []
    watch = Watch(0.02, lambda: told.append(True))
    watch.begin(time.monotonic())
    await asyncio.sleep(0.1)
    assert told == [True]


@pytest.mark.parametrize("seconds", [0.05, 0.2])
async def test_many_steps_in_time_are_none_that_is_late(seconds: float) -> None:
    told: list[bool] = []
    watch = Watch(seconds, lambda: told.append(True))
    for _ in range(30):
        watch.begin(time.monotonic())
        await asyncio.sleep(0.005)
        watch.end()
    await asyncio.sleep(seconds)
    assert told == []
    watch.begin(time.monotonic())
    watch.stop()
    await asyncio.sleep(2 * seconds)
    assert told == []
