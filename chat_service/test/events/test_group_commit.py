"""The lane over a `write` that is handed in: what shares a batch, and what each caller is told."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
import structlog
from sqlalchemy.exc import IntegrityError

from chat_service.config import Limits
from chat_service.errors import Conflict, DatabaseUnavailable, StorageFull, Unavailable
from chat_service.events.group_commit import DEADLOCK_TRIES, UNDIVIDED, Lane, Lanes
from chat_service.events.transaction import Deadlock
from chat_service.test.builders import Workspace, writing

PATIENCE = 10
BAD = IntegrityError("INSERT", {}, Exception("refused by the database"))


class Writing:
    """What a lane writes with: keeps the tries and the committed drafts, stops at a gate.

    `fault` looks at a batch before it is committed and may refuse it whole.
    """

    def __init__(
        self, fault: Callable[[Sequence[str]], BaseException | None] | None = None
    ) -> None:
        self.fault = fault
        self.tries: list[list[str]] = []
        self.committed: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, drafts: Sequence[str]) -> list[str | Exception]:
        self.tries.append(list(drafts))
        await self.gate.wait()
        fault = self.fault(drafts) if self.fault else None
        if fault is not None:
            raise fault
        self.committed += drafts
        return [f"{draft} is stored" for draft in drafts]


def holding(word: str, fault: BaseException = BAD) -> Callable[[Sequence[str]], Any]:
    """A fault of every batch that holds a draft."""
    return lambda drafts: fault if word in drafts else None


async def submit(lane: Lane[str, str], drafts: Sequence[str], *, size: int = 1) -> list[Any]:
    """What each of several concurrent senders is told."""
    async with asyncio.timeout(PATIENCE):
        sends = (lane.submit(draft, size=size) for draft in drafts)
        return await asyncio.gather(*sends, return_exceptions=True)


async def start(lane: Lane[str, str], drafts: Sequence[str]) -> list[asyncio.Task[str]]:
    """Senders that have come to the lane, and wait."""
    tasks = [asyncio.create_task(lane.submit(draft, size=1)) for draft in drafts]
    await turn()
    return tasks


async def turn() -> None:
    """Let one turn of the event loop pass."""
    await asyncio.sleep(0)


def kinds(results: Sequence[Any]) -> list[str]:
    """What came back, by type."""
    return [type(result).__name__ for result in results]


@pytest.fixture
async def reported() -> AsyncIterator[list[Any]]:
    """What the event loop reports because nobody looked at it."""
    found: list[Any] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: found.append(context))
    yield found
    loop.set_exception_handler(before)


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


async def test_each_draft_gets_the_error_its_batch_gave_it() -> None:
    async def write(drafts: Sequence[str]) -> list[str | Exception]:
        return [Conflict() if draft == "b" else draft for draft in drafts]

    told = await submit(Lane(write, Limits()), ["a", "b", "c"])
    assert kinds(told) == ["str", "Conflict", "str"]


@pytest.mark.conformance("bad_draft_fails_alone_in_its_batch")
@pytest.mark.parametrize("place", [0, 7, 15])
async def test_bad_draft_fails_alone_in_its_batch(place: int) -> None:
    drafts = [str(number) for number in range(UNDIVIDED)]
    write = Writing(holding(drafts[place]))
    told = await submit(Lane(write, Limits()), drafts)
    assert [told.index(error) for error in told if not isinstance(error, str)] == [place]
    assert told[place] is BAD
    assert write.committed == drafts[:place] + drafts[place + 1 :], "each once, in order"
    assert len(write.tries) == 9, "one, and two for each of four halvings"


async def test_two_bad_drafts_fail_and_no_other() -> None:
    drafts = list("abcdefgh")
    write = Writing(lambda batch: BAD if {"b", "g"} & set(batch) else None)
    told = await submit(Lane(write, Limits()), drafts)
    assert [draft for draft, result in zip(drafts, told, strict=True) if result is BAD] == [
        "b",
        "g",
    ]
    assert write.committed == list("acdefh")


async def test_a_deadlock_is_tried_again_as_a_whole() -> None:
    faults = iter([Deadlock(), Deadlock(), None])
    write = Writing(lambda _: next(faults))
    assert await submit(Lane(write, Limits()), ["a", "b"]) == ["a is stored", "b is stored"]
    assert write.tries == [["a", "b"]] * 3


async def test_a_deadlock_that_stays_is_told_after_the_third_try() -> None:
    write = Writing(lambda _: Deadlock())
    told = await submit(Lane(write, Limits()), ["a", "b"])
    assert [isinstance(error, Unavailable) for error in told] == [True, True]
    assert len(write.tries) == DEADLOCK_TRIES == 3


@pytest.mark.parametrize("fault", [DatabaseUnavailable(), StorageFull()])
async def test_an_unknown_outcome_is_told_to_all_and_nothing_is_tried_again(
    fault: Unavailable,
) -> None:
    write = Writing(lambda _: fault)
    assert await submit(Lane(write, Limits()), ["a", "b"]) == [fault, fault]
    assert write.tries == [["a", "b"]]


async def test_a_draft_that_trips_the_program_fails_alone(reported: list[Any]) -> None:
    fault = ZeroDivisionError()
    write = Writing(holding("bad", fault))
    told = await submit(Lane(write, Limits()), ["a", "bad", "b"])
    assert told == ["a is stored", fault, "b is stored"]
    assert reported == []


async def test_a_batch_does_not_go_by_the_request_that_began_it() -> None:
    seen: list[dict[str, Any]] = []

    async def write(drafts: Sequence[str]) -> list[str | Exception]:
        seen.append(structlog.contextvars.get_contextvars())
        return list(drafts)

    with structlog.contextvars.bound_contextvars(request_id="one of many"):
        await submit(Lane(write, Limits()), ["a", "b"])
    assert seen == [{}]


async def test_a_lane_goes_on_after_a_batch_that_failed() -> None:
    write = Writing(holding("bad", DatabaseUnavailable()))
    lane = Lane(write, Limits(batch_drafts=1))
    told = await submit(lane, ["bad", "good"])
    assert kinds(told) == ["DatabaseUnavailable", "str"]
    assert await submit(lane, ["later"]) == ["later is stored"]


async def test_a_write_that_is_cancelled_answers_its_callers() -> None:
    write = Writing(lambda _: asyncio.CancelledError())
    assert kinds(await submit(Lane(write, Limits()), ["a", "b"])) == ["Unavailable"] * 2


async def test_a_halving_that_is_cancelled_answers_both_halves() -> None:
    def fault(drafts: Sequence[str]) -> BaseException:
        return BAD if len(drafts) == 4 else asyncio.CancelledError()

    told = await submit(Lane(Writing(fault), Limits()), list("abcd"))
    assert kinds(told) == ["Unavailable"] * 4


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
