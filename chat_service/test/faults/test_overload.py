"""More senders than a lane takes."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from chat_service.test.faults.stage import staged
from chat_service.test.faults.stores import Store

pytestmark = pytest.mark.timeout(120)
SENDERS = 30
EACH = 3


async def test_a_full_lane_answers_503_overloaded_and_loses_nothing(
    store: Store, tmp_path: Path
) -> None:
    async with staged(store, tmp_path, Random(1), settings={"LIMITS_LANE_DRAFTS": "2"}) as stage:
        agent, chats = stage.tenant.agents[0], stage.tenant.chats

        async def insist(at: int) -> None:
            for _ in range(EACH):
                await stage.writers.send(agent, chats[at % len(chats)].id)

        await asyncio.gather(*(insist(at) for at in range(SENDERS)))
        assert set(stage.notes.refusals) == {"overloaded"}
        assert stage.notes.acks.count == SENDERS * EACH
        assert await stage.violations() == []
