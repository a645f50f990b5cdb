"""Who is refused first where much waits, and how late the event loop is."""

import asyncio
import time
from uuid import uuid4

import pytest

from chat_service.errors import Overloaded
from chat_service.schema import WorkspaceId
from chat_service.server.overload import Lateness, Overload

HERE, THERE = WorkspaceId(uuid4()), WorkspaceId(uuid4())


def is_refused(overload: Overload, place: WorkspaceId = HERE) -> bool:
    try:
        overload.refuse_newcomers(place)
    except Overloaded as refused:
        assert refused.headers["Retry-After"] == "1"
        return True
    return False


@pytest.mark.parametrize(
    ("filled", "late", "refused"), [(0.5, 0.1, False), (0.51, 0, True), (0, 0.2, True)]
)
def test_newcomers_are_refused_by_a_lane_over_half_full_and_by_a_late_loop(
    filled: float, late: float, refused: bool
) -> None:
    lateness = Lateness()
    lateness.seconds = late
    lanes = {HERE: filled, THERE: 0.0}
    overload = Overload(lanes.__getitem__, lateness, late_seconds=0.2)
    assert is_refused(overload) is refused
    assert is_refused(overload, THERE) is (refused and late >= 0.2)


async def test_a_loop_that_is_held_up_is_late_and_then_is_not() -> None:
    lateness = Lateness()
    running = asyncio.create_task(lateness.run())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(time.sleep, 0.5)
    async with asyncio.timeout(10):
        while lateness.seconds < 0.2:
            await asyncio.sleep(0)
        while lateness.seconds >= 0.2:
            await asyncio.sleep(0.01)
    running.cancel()
