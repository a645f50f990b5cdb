"""A follower's effect happens exactly once, whenever the process is killed that has it."""

import asyncio
from pathlib import Path
from random import Random
from typing import Final

import pytest

from chat_service.test.backends import LONG, count
from chat_service.test.builders import message
from chat_service.test.faults.careless import CountsApart
from chat_service.test.faults.counts import counts, let_leases_end
from chat_service.test.faults.planted import FOLLOWED, FOLLOWER, Fault, mark
from chat_service.test.faults.stage import Stage, staged
from chat_service.test.faults.stores import BACKENDS, Store

pytestmark = pytest.mark.timeout(300)
KILLS: Final = count(2, many=3)
WRITERS: Final = count(4, many=8)
PATIENCE: Final = 60.0
"""Seconds after which counts that are not right will never be."""


async def counted(store: Store) -> int:
    """How many messages the follower has counted."""
    return (await counts(store.url)).kept.total()


async def more_are_counted(store: Store) -> None:
    """Wait until the follower has counted on."""
    before = await counted(store)
    async with asyncio.timeout(PATIENCE):
        while await counted(store) <= before:
            await asyncio.sleep(0.02)


async def is_exact(store: Store) -> bool:
    """Whether every message is counted once; waits for the follower to come to the end."""
    async with asyncio.timeout(PATIENCE):
        while (found := await counts(store.url)).behind:
            await asyncio.sleep(0.05)
    return found.kept == found.written and found.passed_by == 0


async def restart(stage: Stage, *, planted: bool = False, faulty: str = "") -> None:
    """Start the server again after it was killed."""
    await let_leases_end(stage.store.url)
    await stage.victim.start(planted=planted, faulty=faulty)


@pytest.mark.conformance("follower_effect_is_exactly_once_over_kill_9")
async def test_follower_effect_is_exactly_once_over_kill_9(store: Store, tmp_path: Path) -> None:
    random = Random()
    async with staged(store, tmp_path, random, chats=4) as stage:
        stage.writers.start(WRITERS)
        for _ in range(KILLS):
            await more_are_counted(store)
            await asyncio.sleep(random.uniform(0, 1.2))
            stage.victim.kill()
            await restart(stage)
        await more_are_counted(store)
        await stage.writers.stop()
        assert await is_exact(store)
        assert await counted(store) > KILLS
        assert await stage.violations() == []


async def die(stage: Stage, fault: Fault, faulty: str = "") -> None:
    """Let the server be killed in the next transaction of a follower, and start it again."""
    chat = stage.tenant.chats[0]
    fatal = message(mark(fault, stage.victim.pid, whose=FOLLOWER))
    await stage.writers.try_send(chat.customer, chat.id, fatal)
    await stage.victim.ended()
    await restart(stage, planted=True, faulty=faulty)


@pytest.mark.parametrize("store", BACKENDS if LONG else ["postgres"], indirect=True)
async def test_a_follower_killed_at_any_moment_of_its_turn_counts_each_message_once(
    store: Store, tmp_path: Path
) -> None:
    async with staged(store, tmp_path, Random(1), planted=True) as stage:
        chat = stage.tenant.chats[0]
        for fault in FOLLOWED:
            await die(stage, fault)
            await stage.writers.send(chat.customer, chat.id)
            assert await is_exact(store)
        assert await counted(store) == 2 * len(FOLLOWED)
        assert await stage.violations() == []


async def test_finds_an_effect_outside_the_transaction(postgres: Store, tmp_path: Path) -> None:
    part = CountsApart.__name__
    async with staged(postgres, tmp_path, Random(1), planted=True, faulty=part) as stage:
        await die(stage, Fault.KILL_BEFORE_COMMIT, part)
        assert not await is_exact(postgres)
