"""Whatever breaks under people who follow: each is told each event once, in order, to the end.

These are few and short; `make chaos` has more of them, and longer ones.
"""

from pathlib import Path
from random import Random

import pytest

from chat_service.test.faults.live_rounds import SHORT, LiveKind, live_round_on
from chat_service.test.faults.stores import Store
from chat_service.test.nats_server import Server as Nats

pytestmark = pytest.mark.timeout(180)


async def test_random_reconnects_with_a_node_killed_in_the_middle(
    store: Store, tmp_path: Path, random: Random
) -> None:
    async with live_round_on(store, tmp_path, random, LiveKind.RECONNECTS, SHORT) as live_round:
        outcome = await live_round.play()
    assert outcome.violations == []
    assert outcome.retries > 0


async def test_random_reconnects_with_a_node_killed_in_the_middle_over_nats(
    postgres: Store, private_nats: Nats, tmp_path: Path, random: Random
) -> None:
    async with live_round_on(
        postgres, tmp_path, random, LiveKind.RECONNECTS, SHORT, nats=private_nats
    ) as live_round:
        outcome = await live_round.play()
    assert outcome.violations == []
    assert outcome.retries > 0


@pytest.mark.parametrize("kind", [LiveKind.NATS_KILLED, LiveKind.NATS_UNREACHABLE])
async def test_without_broker_sends_are_answered_and_everybody_hears_everything(
    postgres: Store, private_nats: Nats, tmp_path: Path, random: Random, kind: LiveKind
) -> None:
    async with live_round_on(
        postgres, tmp_path, random, kind, SHORT, nats=private_nats
    ) as live_round:
        outcome = await live_round.play()
    assert outcome.violations == []
