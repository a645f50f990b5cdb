"""A database that is gone for a while: problems that say so, then everything as before."""

import asyncio
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from chat_service.test.builders import message
from chat_service.test.faults.stage import Stage, staged
from chat_service.test.faults.stores import Store, sqlite_store
from chat_service.test.postgres_server import Server

pytestmark = pytest.mark.timeout(120)
HEALTHY = {"/health": 200, "/health/live": 200, "/health/ready": 200}


async def health(stage: Stage) -> dict[str, int]:
    """How the service says it is."""
    client = stage.tenant.workspace.client
    return {path: (await client.get(path)).status_code for path in HEALTHY}


async def test_answers_503_while_the_database_is_gone_and_heals_by_itself(
    postgres: Store, durable_postgres: Server, tmp_path: Path
) -> None:
    async with staged(postgres, tmp_path, Random(1)) as stage:
        chat, body = stage.tenant.chats[0], message()
        durable_postgres.stop()
        try:
            answer = await stage.writers.try_send(chat.customer, chat.id, body)
            assert answer is not None and answer.status_code == 503
            assert answer.json()["code"] == "database_unavailable"
            page = await stage.notes.answer_of("GET", chat.customer, f"/v1/sessions/{chat.id}")
            assert page is not None and page.status_code == 503
            assert await health(stage) == HEALTHY | {"/health/ready": 503}
        finally:
            durable_postgres.start()
        await stage.notes.insist(lambda: stage.writers.try_send(chat.customer, chat.id, body))
        assert await health(stage) == HEALTHY
        assert await stage.violations() == []


def let_files_grow(stage: Stage, size: int) -> None:
    """Set the size above which the server's process can write to no file."""
    limits = (size, resource.RLIM_INFINITY)
    resource.prlimit(stage.victim.pid, resource.RLIMIT_FSIZE, limits)


@pytest.mark.skipif(sys.platform != "linux", reason="bounds another process")
async def test_acknowledges_nothing_on_a_full_disk_reads_on_and_heals_by_itself(
    tmp_path: Path,
) -> None:
    async with staged(await sqlite_store(tmp_path), tmp_path, Random(1)) as stage:
        chat, agent = stage.tenant.chats[0], stage.tenant.agents[0]
        let_files_grow(stage, (tmp_path / "chat.db-wal").stat().st_size + 30_000)
        tasks = [asyncio.create_task(stage.writers.send(agent, chat.id)) for _ in range(40)]
        await refused(stage, tasks)
        assert await stage.readers.read(chat.customer, "customer", "messages", chat.id)
        assert (await health(stage))["/health"] == 200
        let_files_grow(stage, resource.RLIM_INFINITY)
        await asyncio.gather(*tasks)
        assert await stage.violations() == []


async def refused(stage: Stage, tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Wait until nobody but those who were refused is left."""
    while stage.notes.refusals.total() < 10:
        await asyncio.sleep(0.01)
        assert not all(task.done() for task in tasks)
