"""What becomes of a batch that fails: its drafts are found by halves, and nobody is left waiting."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
import structlog

from chat_service.config import Limits
from chat_service.errors import Conflict, DatabaseUnavailable, StorageFull, Unavailable
from chat_service.events.group_commit import DEADLOCK_TRIES, UNDIVIDED, Lane
from chat_service.events.transaction import Deadlock
from chat_service.test.events.lanes import BAD, Writing, holding, kinds, reported, submit

__all__ = ["reported"]


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
