"""Two real workers on PostgreSQL: whichever is asked tells of both, and of those that are gone."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from stat import S_IMODE

import httpx2
import pytest

from chat_service.app import create_app
from chat_service.metrics import FOLDER
from chat_service.model import migrations
from chat_service.test.conftest import METRICS_TOKEN, config_of
from chat_service.test.faults.victim import Victim
from chat_service.test.figures import Figures, read, series
from chat_service.test.postgres import FreshDatabase

pytestmark = pytest.mark.timeout(240)
PATIENCE = 100
ASKED = series("chat_requests_total", rule="/problems/<code>", method="GET", status=200)
STARTS = [series("chat_process_start_time_seconds", pid=place) for place in (0, 1)]


@pytest.fixture
async def server(fresh_database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Victim]:
    """The service with two workers, which both serve."""
    url = fresh_database("figures")
    service = create_app(config_of(url, tmp_path))
    await migrations.upgrade(service.database.engine)
    await service.database.engine.dispose()
    settings = {"DATABASE_PROFILE": "fast", "SERVER_METRICS_TOKEN": METRICS_TOKEN}
    server = Victim(url, tmp_path, settings | {"SERVER_WORKERS": "2"})
    try:
        await server.start()
        await both_serve(server)
        yield server
    finally:
        server.stop()


def workers(server: Victim) -> list[int]:
    """The process ids of the workers."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
    return [int(pid) for pid in children.split()]


def folder_of(worker: int) -> Path:
    """Where a worker keeps its figures."""
    variables = Path(f"/proc/{worker}/environ").read_text().split("\0")
    return Path(dict(line.split("=", 1) for line in variables if line)[FOLDER])


async def figures_of(server: Victim) -> Figures:
    """What whoever takes a new connection tells."""
    async with httpx2.AsyncClient(base_url=server.address, timeout=PATIENCE) as client:
        return await read(client)


async def ask(server: Victim, times: int) -> None:
    """Requests, each on a connection of its own."""
    for _ in range(times):
        async with httpx2.AsyncClient(base_url=server.address, timeout=PATIENCE) as client:
            assert (await client.get("/problems/not_found")).status_code == 200


async def both_serve(server: Victim, *, since: float = 0) -> Figures:
    """Wait for two workers that serve, one of which began after `since`; what is told then."""
    async with asyncio.timeout(PATIENCE):
        while True:
            figures = await figures_of(server)
            begun = [figures.get(start, 0) for start in STARTS]
            # A worker allows connections when its application has started.
            if figures["chat_database_connections_allowed"] == 20 and max(begun) > since:
                return figures
            await asyncio.sleep(0.05)


async def test_each_worker_tells_what_all_have_counted(server: Victim) -> None:
    one, other = workers(server)
    for resting in (one, other):
        os.kill(resting, signal.SIGSTOP)
        await ask(server, 5)
        told = await figures_of(server)
        os.kill(resting, signal.SIGCONT)
    assert told[ASKED] == 10
    assert all(told[start] > 0 for start in STARTS)
    info = series("chat_database_info", backend="postgresql", profile="fast")
    assert told[info] == 1


async def test_a_lost_worker_takes_along_what_was_true_and_not_what_was_counted(
    server: Victim,
) -> None:
    await ask(server, 6)
    before = await figures_of(server)
    lost = workers(server)[0]
    folder = folder_of(lost)
    files = {path.name for path in folder.iterdir()}
    os.kill(lost, signal.SIGKILL)
    after = await both_serve(server, since=max(before[start] for start in STARTS))
    assert lost not in workers(server)
    assert after[ASKED] == before[ASKED] == 6
    assert len([start for start in STARTS if after[start] == before[start]]) == 1
    assert {path.name for path in folder.iterdir()} == files


async def test_the_workers_share_a_private_folder_that_ends_with_them(server: Victim) -> None:
    folders = {folder_of(worker) for worker in workers(server)}
    assert len(folders) == 1
    folder = folders.pop()
    assert S_IMODE(folder.stat().st_mode) == 0o700
    server.stop()
    assert not folder.exists()
