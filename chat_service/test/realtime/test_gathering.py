"""Many who ask at about the same time: how many reads it takes, and who hears of an error."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from chat_service.realtime.gathering import AT_ONCE, Gathering


class Reads:
    """A source of answers that takes as long as it is told to; each answer tells its read."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gathering = Gathering(self._read)

    async def _read(self, questions: Sequence[int]) -> Mapping[int, tuple[int, int]]:
        self.asked.append(list(questions))
        number = len(self.asked)
        await self.gate.wait()
        if -1 in questions:
            raise ConnectionError
        return {question: (question, number) for question in questions}


async def soon() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_asks_in_one_turn_is_answered_by_one_read() -> None:
    reads = Reads()
    reads.gate.set()
    answers = await asyncio.gather(*(reads.gathering.ask(number) for number in range(50)))
    assert answers == [(number, 1) for number in range(50)]
    assert reads.asked == [list(range(50))]


async def test_a_question_is_never_answered_by_a_read_that_began_before_it() -> None:
    reads = Reads()
    first = asyncio.create_task(reads.gathering.ask(1))
    await soon()
    later = [asyncio.create_task(reads.gathering.ask(number)) for number in (1, 2)]
    await soon()
    assert reads.asked == [[1]]
    reads.gate.set()
    assert [await first, *[await each for each in later]] == [(1, 1), (1, 2), (2, 2)]


async def test_a_read_is_bounded() -> None:
    reads = Reads()
    reads.gate.set()
    await asyncio.gather(*(reads.gathering.ask(number) for number in range(AT_ONCE + 1)))
    assert [len(asked) for asked in reads.asked] == [AT_ONCE, 1]


async def test_an_error_is_told_to_those_of_its_read_alone() -> None:
    reads = Reads()
    asked = [asyncio.create_task(reads.gathering.ask(number)) for number in (-1, 1)]
    await soon()
    later = asyncio.create_task(reads.gathering.ask(2))
    reads.gate.set()
    for each in asked:
        with pytest.raises(ConnectionError):
            await each
    assert await later == (2, 2)


async def test_who_leaves_disturbs_nobody() -> None:
    reads = Reads()
    gone, there = (asyncio.create_task(reads.gathering.ask(7)) for _ in range(2))
    await soon()
    gone.cancel()
    reads.gate.set()
    assert await there == (7, 1)
    assert gone.cancelled()
