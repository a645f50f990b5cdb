"""The required property of live delivery, over a thousand histories full of trouble.

A failure tells the seed of its history; CHAT_FEED_SEED plays that one alone.
"""

import os
from collections.abc import Sequence
from typing import Final

import pytest

from chat_service.test.backends import count
from chat_service.test.events.simulated.planted import (
    BelievesOldAnswers,
    CountsNotes,
    IgnoresFence,
    NoHeadCheck,
    NoOverlap,
    StandsWhereTold,
    with_feed,
    with_subscription,
)
from chat_service.test.events.simulated.trial import Parts, Trial, played

SEEDS: Final = count(500, many=1_000)
TOGETHER: Final = 25
ENOUGH: Final = 200
"""So many seeds find each planted fault; the first to do so ends the search."""
GIVEN: Final = os.environ.get("CHAT_FEED_SEED")
RANGES: Final = (
    [range(int(GIVEN), int(GIVEN) + 1)]
    if GIVEN
    else [range(first, first + TOGETHER) for first in range(0, SEEDS, TOGETHER)]
)


@pytest.mark.parametrize("seeds", RANGES, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_every_client_has_its_log_without_gap_repeat_or_reorder(seeds: range) -> None:
    for seed in seeds:
        faults = played(seed, Parts()).faults
        assert not faults, f"again with CHAT_FEED_SEED={seed}: {'; '.join(faults)}"


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(Parts(feeds=NoHeadCheck), id="no head check"),
        pytest.param(Parts(feeds=with_feed(StandsWhereTold)), id="position taken from the hint"),
        pytest.param(Parts(feeds=with_subscription(IgnoresFence)), id="fence ignored"),
        pytest.param(Parts(world=CountsNotes), id="internal events in the public counter"),
        pytest.param(Parts(feeds=with_feed(NoOverlap)), id="no overlap in the feed"),
        pytest.param(
            Parts(feeds=with_feed(BelievesOldAnswers)),
            id="an answer believed that is older than an attach",
        ),
    ],
)
def test_the_property_test_finds(parts: Parts) -> None:
    assert any(played(seed, parts).faults for seed in range(ENOUGH))


def test_a_history_follows_from_its_seed() -> None:
    once, again, other = (_course(played(seed, Parts())) for seed in (5, 5, 6))
    assert once == again != other


def test_the_histories_are_full_of_trouble() -> None:
    trials = [played(seed, Parts()) for seed in range(40)]
    assert sum(trial.rewinds for trial in trials) == 20
    resets = {reset for trial in trials for client in trial.clients for reset in client.resets}
    assert resets >= {"rewound", "cursor_ahead", "cursor_mismatch"}
    for trial in trials:
        sources = [gateway.source for gateway in trial.gateways]
        assert sum(source.failed for source in sources) > 0
        assert sum(source.late for source in sources) > 0
        assert sum(source.asked["read_session"] for source in sources) > 5
    assert all(len(client.events) > 5 for trial in trials for client in trial.clients)


def _course(trial: Trial) -> Sequence[object]:
    """What happened, in much detail."""
    asked = [gateway.source.asked for gateway in trial.gateways]
    return asked, [client.events for client in trial.clients], trial.world.log[-1].id
