"""The lane over a `write` that is handed in: what shares a batch, and what each caller is told."""

import asyncio
import gc
from typing import Any

import pytest

from chat_service.config import Limits
from chat_service.events.group_commit import Lane, Lanes
from chat_service.test.builders import Workspace, writing
from chat_service.test.events.lanes import Writing, holding, kinds, reported, start, submit, turn

__all__ = ["reported"]


async def test_drafts_of_one_turn_share_a_batch_in_their_order() -> None:
    write = Writing()
    told = await submit(Lane(write, Limits()), ["a", "b", "c"])
    assert write.tries == [["a", "b", "c"]]
    assert told == ["a is stored", "b is stored", "c is stored"]


@pytest.mark.conformance("lone_send_is_not_delayed_by_batching")
async def test_lone_send_is_not_delayed_by_batching() -> None:
    write = Writing()
    lane = Lane(write, Limits())
    (task,) = await start(lane, ["alone"])
    assert write.tries == []
    await turn()
    assert write.tries == [["alone"]], "the turn after the lane was entered, and no timer"
    assert await task == "alone is stored"


async def test_drafts_that_come_during_a_commit_make_the_next_batch() -> None:
    write = Writing()
    write.gate.clear()
    lane = Lane(write, Limits())
    tasks = await start(lane, ["a"])
    await turn()
    tasks += await start(lane, ["b"])
    tasks += await start(lane, ["c"])
    assert write.tries == [["a"]]
    write.gate.set()
    await asyncio.gather(*tasks)
    assert write.tries == [["a"], ["b", "c"]]


async def test_of_many_that_wait_half_are_left_for_the_next_batch() -> None:
    write = Writing()
    drafts = [str(number) for number in range(100)]
    await submit(Lane(write, Limits()), drafts)
    assert [len(batch) for batch in write.tries] == [50, 25, 16, 9]
    assert write.committed == drafts


async def test_a_batch_has_no_more_drafts_than_allowed() -> None:
    write = Writing()
    await submit(Lane(write, Limits(batch_drafts=2)), ["a", "b", "c", "d", "e"])
    assert write.tries == [["a", "b"], ["c", "d"], ["e"]]


async def test_a_batch_has_no_more_bytes_than_allowed() -> None:
    write = Writing()
    lane = Lane(write, Limits(batch_bytes=1_000))
    await submit(lane, ["a", "b", "c"], size=500)
    assert write.tries == [["a", "b"], ["c"]]


async def test_a_draft_larger_than_a_batch_goes_alone() -> None:
    write = Writing()
    await submit(Lane(write, Limits(batch_bytes=1_000)), ["a", "b"], size=5_000)
    assert write.tries == [["a"], ["b"]]


async def test_a_full_lane_refuses_at_once_and_drains() -> None:
    write = Writing()
    lane = Lane(write, Limits(lane_drafts=2))
    told = await submit(lane, ["a", "b", "too many"])
    assert kinds(told) == ["str", "str", "Overloaded"]
    assert told[2].headers == {"Retry-After": "1"}
    assert await submit(lane, ["later"]) == ["later is stored"]


async def test_a_draft_that_waited_too_long_is_answered_and_never_written(
    reported: list[Any],
) -> None:
    write = Writing()
    write.gate.clear()
    lane = Lane(write, Limits(lane_seconds=0.01))
    (first,) = await start(lane, ["first"])
    await turn()
    assert kinds(await submit(lane, ["waited too long"])) == ["Overloaded"]
    write.gate.set()
    assert await first == "first is stored", "a batch in flight has no such limit"
    await lane.flush()
    assert write.committed == ["first"]
    assert reported == []


async def test_a_lost_caller_does_not_cancel_its_draft() -> None:
    write = Writing()
    lane = Lane(write, Limits())
    lost, other = await start(lane, ["lost", "other"])
    lost.cancel()
    assert await other == "other is stored"
    assert lost.cancelled()
    assert write.committed == ["lost", "other"]


async def test_a_refusal_nobody_waits_for_is_not_reported_as_forgotten(
    reported: list[Any],
) -> None:
    lane = Lane(Writing(holding("lost")), Limits())
    (lost,) = await start(lane, ["lost"])
    lost.cancel()
    await lane.flush()
    del lost
    gc.collect()
    assert reported == []


async def test_flush_waits_for_the_batch_in_flight_and_for_those_that_wait() -> None:
    write = Writing()
    write.gate.clear()
    lanes = Lanes(write, Limits(batch_drafts=1))
    tasks = [*await start(lanes.of("one"), ["a", "b"]), *await start(lanes.of("two"), ["c"])]
    flushing = asyncio.create_task(lanes.flush())
    await turn()
    assert not flushing.done()
    write.gate.set()
    await flushing
    assert all(task.done() for task in tasks)
    assert sorted(write.committed) == ["a", "b", "c"]


async def test_flush_of_an_idle_lane_waits_for_nothing() -> None:
    lanes = Lanes(Writing(), Limits())
    lanes.of("idle")
    await lanes.flush()


async def test_each_workspace_has_one_lane_of_its_own() -> None:
    write = Writing()
    lanes = Lanes(write, Limits())
    assert lanes.of("one") is lanes.of("one")
    await asyncio.gather(submit(lanes.of("one"), ["a"]), submit(lanes.of("two"), ["b"]))
    assert sorted(write.tries) == [["a"], ["b"]]


@pytest.mark.conformance("lane_refuses_to_be_awaited_inside_a_transaction")
async def test_lane_refuses_to_be_awaited_inside_a_transaction(workspace: Workspace) -> None:
    write = Writing()
    lane = Lane(write, Limits())
    async with writing(workspace.service):
        with pytest.raises(RuntimeError, match="inside a transaction"):
            await lane.submit("inside", size=1)
    assert await submit(lane, ["outside"]) == ["outside is stored"]
    assert write.tries == [["outside"]]
