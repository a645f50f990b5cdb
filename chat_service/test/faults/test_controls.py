"""Negative controls: a planted bug must be found, or the tests that stand on these checks are blind.

Bugs are handed in, or made by dropping what the database holds; the product knows no switch.
"""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from chat_service.config import Limits
from chat_service.messages.services import MessageLanes, open_lanes
from chat_service.schema import utc_now
from chat_service.test.faults import faulty, trial
from chat_service.test.faults.keys import drop_keys
from chat_service.test.faults.planted import Fault, mark
from chat_service.test.faults.stage import staged
from chat_service.test.faults.stores import Store, sqlite_store

pytestmark = pytest.mark.timeout(120)


def true_lanes(limits: Limits) -> MessageLanes:
    """What the service has."""
    return open_lanes(limits, utc_now)


def names_of(lines: list[str]) -> set[str]:
    """Which checks found something."""
    return {line.partition(":")[0] for line in lines}


async def test_the_service_passes_its_trial(store: Store, tmp_path: Path) -> None:
    assert await trial.violations(store, tmp_path, true_lanes) == []


async def test_the_service_passes_even_without_the_keys(store: Store, tmp_path: Path) -> None:
    await drop_keys(store)
    assert await trial.violations(store, tmp_path, true_lanes) == []


@pytest.mark.parametrize(
    ("part", "found_by"),
    [
        (faulty.looks_for_repeats_outside, "keys_are_unique"),
        (faulty.numbers_without_the_lock, "session_numbers_are_gapless"),
        (faulty.numbers_from_a_sequence, "session_numbers_are_gapless"),
        (faulty.fails_the_whole_batch, "refused"),
    ],
)
async def test_finds_a_planted_bug(
    store: Store, tmp_path: Path, part: Callable[[Limits], MessageLanes], found_by: str
) -> None:
    await drop_keys(store)
    lines = await trial.violations(store, tmp_path, part)
    assert found_by in names_of(lines), lines


async def test_finds_an_acknowledgement_before_the_commit(tmp_path: Path) -> None:
    part = faulty.acknowledges_before_the_commit.__name__
    store = await sqlite_store(tmp_path)
    async with staged(store, tmp_path, Random(1), planted=True, faulty=part) as stage:
        chat = stage.tenant.chats[0]
        fatal = mark(Fault.KILL_BEFORE_COMMIT, stage.victim.pid)
        await stage.writers.send(chat.customer, chat.id, fatal)
        await stage.victim.ended()
        assert "acknowledged_is_stored" in names_of(await stage.violations())
