"""The order and the bounds of leaving."""

import asyncio

import pytest
from structlog.testing import capture_logs

from chat_service.server.drain import Drain


async def _stop() -> None:
    """Nothing to stop."""


@pytest.mark.parametrize("wait", [0.0, 0.01])
async def test_is_ready_until_the_balancer_has_to_be_told(wait: float) -> None:
    drain = Drain()
    seen = [drain.draining]

    async def stop() -> None:
        seen.append(drain.draining)

    await drain.run(wait=wait, limit=1, stop=stop)
    assert [*seen, drain.draining] == [False, wait > 0, True]


async def test_accepts_while_the_balancer_learns_of_it() -> None:
    drain = Drain()
    stopped = asyncio.Event()

    async def stop() -> None:
        stopped.set()

    run = asyncio.create_task(drain.run(wait=0.1, limit=1, stop=stop))
    await asyncio.sleep(0.02)
    assert drain.draining and not stopped.is_set()
    await run
    assert stopped.is_set()


async def test_finishes_what_was_added_after_it_stopped_accepting() -> None:
    drain = Drain()
    order: list[str] = []

    async def stop() -> None:
        order.append("stop")

    async def lane() -> None:
        await asyncio.sleep(0)
        order.append("lane")

    drain.add(lane)
    drain.add(lane)
    await drain.run(wait=0, limit=5, stop=stop)
    assert order == ["stop", "lane", "lane"]


async def test_leaves_to_the_requests_what_the_callbacks_did_not_need() -> None:
    drain = Drain()
    assert 0 < await drain.run(wait=0, limit=60, stop=_stop) <= 60


async def test_cancels_what_is_not_finished_in_time() -> None:
    drain = Drain()
    cancelled: list[bool] = []

    async def stuck() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.append(True)

    drain.add(stuck)
    with capture_logs() as logs:
        assert await drain.run(wait=0, limit=0.05, stop=_stop) == 0
    assert cancelled == [True]
    assert [log["event"] for log in logs] == ["drain_unfinished"]


async def test_a_failure_does_not_keep_the_others_from_finishing() -> None:
    drain = Drain()
    finished: list[bool] = []

    async def failing() -> None:
        raise ValueError("no")

    async def lane() -> None:
        await asyncio.sleep(0.02)
        finished.append(True)

    drain.add(failing)
    drain.add(lane)
    with capture_logs() as logs:
        await drain.run(wait=0, limit=5, stop=_stop)
    assert finished == [True]
    assert [log["event"] for log in logs] == ["drain_failed"]
