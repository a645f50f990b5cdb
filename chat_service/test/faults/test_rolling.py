"""A new version under load: each node leaves and comes again, and no request fails."""

from pathlib import Path
from random import Random

import pytest

from chat_service.test.backends import LONG
from chat_service.test.faults.haproxy import NoHaproxy, program
from chat_service.test.faults.live_rounds import SHORT, LiveKind, live_round_on
from chat_service.test.faults.stores import Store
from chat_service.test.nats_server import Server as Nats
from chat_service.test.require import skip_or_fail

pytestmark = pytest.mark.timeout(240)
BROKERS = ("postgres", "nats") if LONG else ("nats",)
"""Behind HAProxy it is always PostgreSQL's."""


@pytest.mark.conformance(39)
@pytest.mark.parametrize("broker", BROKERS)
async def test_rolling_restart_of_all_nodes_loses_nothing(
    postgres: Store, tmp_path: Path, random: Random, broker: str, request: pytest.FixtureRequest
) -> None:
    nats: Nats | None = request.getfixturevalue("private_nats") if broker == "nats" else None
    async with live_round_on(
        postgres, tmp_path, random, LiveKind.ROLLING_RESTART, SHORT, nats=nats
    ) as live_round:
        outcome = await live_round.play()
    assert outcome.violations == []
    assert outcome.retries == 0


@pytest.mark.conformance(39)
async def test_a_rolling_restart_behind_haproxy_fails_no_request(
    postgres: Store, tmp_path: Path, random: Random
) -> None:
    try:
        program()
    except NoHaproxy as error:
        skip_or_fail("haproxy", str(error))
    kind = LiveKind.ROLLING_RESTART_BEHIND_HAPROXY
    async with live_round_on(postgres, tmp_path, random, kind, SHORT) as live_round:
        outcome = await live_round.play()
    assert outcome.violations == []
    assert outcome.retries == 0
