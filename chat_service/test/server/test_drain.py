"""The order and the bounds of leaving."""

import asyncio

import pytest
from structlog.testing import capture_logs

from chat_service.server.drain import Drain


async def _stop() -> None:
    """Nothing to stop."""


async def _close(seconds: float) -> None:
    """No sockets to close."""


@pytest.mark.parametrize("wait", [0.0, 0.01])
async def test_is_ready_until_the_balancer_has_to_be_told(wait: float) -> None:
    drain = Drain()
    seen = [drain.draining]

    async def stop() -> None:
        seen.append(drain.draining)

    await drain.run(wait=wait, window=0, limit=1, stop=stop, close=_close)
    assert [*seen, drain.draining] == [False, wait > 0, True]


async def test_accepts_while_the_balancer_learns_of_it() -> None:
    drain = Drain()
    stopped = asyncio.Event()

    async def stop() -> None:
        stopped.set()

    run = asyncio.create_task(drain.run(wait=0.1, window=0, limit=1, stop=stop, close=_close))
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
    await drain.run(wait=0, window=0, limit=5, stop=stop, close=_close)
    assert order == ["stop", "lane", "lane"]


async def test_leaves_to_the_requests_what_the_callbacks_did_not_need() -> None:
    drain = Drain()
    assert 0 < await drain.run(wait=0, window=0, limit=60, stop=_stop, close=_close) <= 60


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
        assert await drain.run(wait=0, window=0, limit=0.05, stop=_stop, close=_close) == 0
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
        await drain.run(wait=0, window=0, limit=5, stop=_stop, close=_close)
    assert finished == [True]
    assert [log["event"] for log in logs] == ["drain_failed"]


@pytest.mark.parametrize(("window", "told"), [(10.0, 10.0), (90.0, 60.0)])
async def test_farewells_come_first_and_know_the_window(window: float, told: float) -> None:
    drain = Drain()
    order: list[object] = []

    async def goodbye(seconds: float) -> None:
        await asyncio.sleep(0)
        order.append(seconds)

    async def close(seconds: float) -> None:
        order.append("close")
        assert 0 < seconds < told

    async def lane() -> None:
        order.append("lane")

    drain.add(lane)
    drain.add_farewell(goodbye)
    await drain.run(wait=0, window=window, limit=60, stop=_stop, close=close)
    assert order == [told, "close", "lane"]


async def test_a_farewell_that_fails_leaves_its_sockets_to_the_server() -> None:
    drain = Drain()
    left: list[float] = []

    async def failing(seconds: float) -> None:
        raise ValueError("no")

    async def close(seconds: float) -> None:
        left.append(seconds)

    drain.add_farewell(failing)
    with capture_logs() as logs:
        await drain.run(wait=0, window=0.001, limit=5, stop=_stop, close=close)
    assert len(left) == 1
    assert [log["event"] for log in logs] == ["drain_failed"]
