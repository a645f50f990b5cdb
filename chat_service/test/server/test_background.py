"""Work of the service that fails is told, and goes on."""

import asyncio
from pathlib import Path

from structlog.testing import capture_logs

from chat_service import metrics
from chat_service.app import create_app
from chat_service.model import migrations
from chat_service.server.background import spawn
from chat_service.test.conftest import config_of

PATIENCE = 10.0


class Work:
    """Fails so often, and then goes on."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.goes_on = asyncio.Event()

    async def run(self) -> None:
        """Go on for ever."""
        if self.failures:
            self.failures -= 1
            raise ValueError("a fault")
        self.goes_on.set()
        await asyncio.Event().wait()


async def test_what_fails_is_told_and_begun_again() -> None:
    work = Work(2)
    with capture_logs() as logs:
        task = spawn(work.run)
        await asyncio.wait_for(work.goes_on.wait(), PATIENCE)
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    ours = [log for log in logs if log["event"] == "background_work_failed"]
    told = [(log["log_level"], log["work"]) for log in ours]
    assert told == [("error", "Work.run")] * 2


async def test_what_is_done_is_not_begun_again() -> None:
    done: list[bool] = []

    async def work() -> None:
        done.append(True)

    await asyncio.wait_for(spawn(work), PATIENCE)
    assert done == [True]


async def test_a_figure_that_fails_once_is_shown_again(tmp_path: Path) -> None:
    service = create_app(config_of(f"sqlite:///{tmp_path / 'chat.db'}", tmp_path))
    await migrations.upgrade(service.database.engine)
    looks: list[int] = []
    again = asyncio.Event()

    def look() -> float:
        looks.append(1)
        if len(looks) == 1:
            raise ValueError("a fault")
        again.set()
        return 0.0

    service.sampler.add(metrics.DRAFTS_WAITING, look)
    with service.database.bound(), capture_logs() as logs:
        async with service.quart.test_app():
            await asyncio.wait_for(again.wait(), PATIENCE)
    assert "background_work_failed" in [log["event"] for log in logs]
