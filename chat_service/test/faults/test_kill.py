"""Whatever is killed under people who write: what was acknowledged is there, once and in order.

These are few rounds; `make chaos` plays many.
"""

from pathlib import Path
from random import Random

import pytest

from chat_service.test.backends import count
from chat_service.test.faults.rounds import Kind, rounds_on
from chat_service.test.faults.stores import Store

pytestmark = pytest.mark.timeout(180)
ROUNDS = count(1, many=3)


@pytest.mark.conformance(10)
async def test_ack_survives_kill_9(store: Store, tmp_path: Path) -> None:
    async with rounds_on(store, tmp_path, Random()) as rounds:
        for _ in range(ROUNDS):
            outcome = await rounds.play(Kind.SERVER)
            assert outcome.violations == []
            assert outcome.retries > 0


@pytest.mark.conformance(10)
async def test_ack_survives_kill_9_of_the_database(postgres: Store, tmp_path: Path) -> None:
    async with rounds_on(postgres, tmp_path, Random()) as rounds:
        for kind in (Kind.DATABASE, Kind.BOTH):
            outcome = await rounds.play(kind)
            assert outcome.violations == []
            assert outcome.retries > 0
