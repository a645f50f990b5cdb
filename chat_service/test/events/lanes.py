"""A lane over a `write` of the test's own, and those who send by it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from chat_service.events.group_commit import Lane

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
