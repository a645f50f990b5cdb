"""Figures by themselves: labels of bounded choice, values that are looked up, what lanes tell."""

import asyncio
from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry, Gauge

from chat_service import metrics
from chat_service.config import Limits
from chat_service.errors import Overloaded
from chat_service.events.group_commit import Lanes
from chat_service.test.figures import Figures, figures_of, grown, series


def figures() -> Figures:
    """The figures of this process."""
    return figures_of(metrics.exposition().decode())


def test_what_a_client_makes_up_is_no_label() -> None:
    before = figures()
    for number in range(100):
        metrics.count_request(None, f"METHOD-{number}", 405, 0.1)
    growth = grown(before, figures())
    assert growth[series("chat_requests_total", rule="none", method="other", status=405)] == 100
    assert "METHOD-" not in str(growth)


def test_a_sample_looks_at_the_present_value() -> None:
    sampler, values = metrics.Sampler(), [3.0]
    sampler.add(metrics.DRAFTS_WAITING, lambda: values[0])
    for value in (3.0, 7.0, 0.0):
        values[0] = value
        sampler.sample()
        assert figures()["chat_lane_drafts_waiting"] == value


async def test_a_sampler_that_runs_looks_by_itself() -> None:
    looked, sampler = asyncio.Event(), metrics.Sampler()
    own = Gauge("chat_own", "One that nobody else sets.", registry=CollectorRegistry())

    def look() -> float:
        looked.set()
        return 5

    sampler.add(own, look)
    running = asyncio.create_task(sampler.run())
    async with asyncio.timeout(10):
        await looked.wait()
    running.cancel()
    assert [sample.value for sample in next(iter(own.collect())).samples] == [5]


async def test_lanes_tell_what_waits_and_what_they_refuse() -> None:
    gate = asyncio.Event()

    async def write(drafts: Sequence[str]) -> Sequence[str]:
        await gate.wait()
        return drafts

    before, lanes = figures(), Lanes(write, Limits(lane_drafts=2, lane_seconds=0.1))
    first = asyncio.create_task(lanes.of("here").submit("a", size=1))
    await asyncio.sleep(0.01)
    late = [asyncio.create_task(lanes.of("here").submit(word, size=1)) for word in "bc"]
    other = asyncio.create_task(lanes.of("there").submit("d", size=1))
    await asyncio.sleep(0)
    assert lanes.waiting == 3, "of two places; the first draft is on its way"
    with pytest.raises(Overloaded):
        await lanes.of("here").submit("e", size=1)
    refused = await asyncio.gather(*late, return_exceptions=True)
    assert [type(error) for error in refused] == [Overloaded, Overloaded]
    gate.set()
    assert (await first, await other) == ("a", "d")
    growth = grown(before, figures())
    assert growth[series("chat_overloaded_total", reason="lane_full")] == 1
    assert growth[series("chat_overloaded_total", reason="lane_late")] == 2
