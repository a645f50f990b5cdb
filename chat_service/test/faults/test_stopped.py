"""A process that stands still while it holds every lock of its workspace."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from random import Random
from time import monotonic

import httpx2
import pytest

from chat_service.test.builders import message
from chat_service.test.faults.planted import Fault, mark
from chat_service.test.faults.stage import Stage, staged
from chat_service.test.faults.stores import Store
from chat_service.test.faults.tenants import Chatter, client_of
from chat_service.test.faults.victim import Victim

pytestmark = pytest.mark.timeout(180)
AT_MOST = 12.0
"""Seconds: the 5 that the database waits for a silent transaction, and a wide margin for a busy
machine."""


@pytest.mark.conformance("stopped_process_blocks_its_workspace_at_most_5s")
@pytest.mark.skipif(sys.platform != "linux", reason="looks at a process in /proc")
async def test_stopped_process_blocks_its_workspace_at_most_5s(
    postgres: Store, tmp_path: Path
) -> None:
    other = Victim(postgres.url, tmp_path)
    try:
        async with staged(postgres, tmp_path, Random(1), planted=True) as stage:
            await other.start()
            async with client_of(other.address) as client:
                blocked = await blocked_by_a_stopped_process(stage, client)
            print(f"blocked for {blocked:.2f} s")
            assert blocked < AT_MOST
            assert stage.notes.refusals["database_unavailable"] > 0
            assert await stage.violations() == []
    finally:
        other.kill()


async def blocked_by_a_stopped_process(stage: Stage, other: httpx2.AsyncClient) -> float:
    """Stop one of two processes before its COMMIT, and let it go on after the other has written.

    Returns for how many seconds the other could not write to another chat of the workspace.
    """
    first, second = stage.tenant.chats
    marked = message(mark(Fault.STOP_BEFORE_COMMIT, stage.victim.pid))
    stopped = asyncio.create_task(stage.writers.try_send(first.customer, first.id, marked))
    await stage.victim.stands_still()
    began = monotonic()
    await stage.writers.send(through(other, second.customer), second.id)
    blocked = monotonic() - began
    await stage.writers.send(through(other, first.customer), first.id)
    stage.victim.sigcont()
    answer = await stopped
    assert answer is not None and answer.status_code == 503
    assert (await stage.writers.try_send(first.customer, first.id, marked)) is not None
    await stage.writers.send(first.customer, first.id)
    return blocked


def through(client: httpx2.AsyncClient, who: Chatter) -> Chatter:
    """The same person, calling another process."""
    return replace(who, person=replace(who.person, client=client))
