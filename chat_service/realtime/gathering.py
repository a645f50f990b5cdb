"""Questions that many ask at about the same time, answered by one read: as when everybody comes back.

Knows nothing of what is asked. A read begins after all questions it answers were asked.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Final, Generic, TypeVar

import structlog

AT_ONCE: Final = 128
"""So many questions one read answers."""

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")


class Gathering(Generic[Question, Answer]):
    """One read at a time; those who ask meanwhile are answered by the next."""

    def __init__(
        self, read: Callable[[Sequence[Question]], Awaitable[Mapping[Question, Answer]]]
    ) -> None:
        """`read` gives an answer to every question it is handed."""
        self._read = read
        self._asked: dict[Question, asyncio.Future[Answer]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def ask(self, question: Question) -> Answer:
        """The answer, as of now or later. Raises what the read raises."""
        answer = self._asked.get(question)
        if answer is None:
            answer = self._asked[question] = asyncio.get_running_loop().create_future()
            # Somebody who asked may be gone by then: an error is nobody's oversight.
            answer.add_done_callback(lambda it: it.cancelled() or it.exception())
        if self._reading is None:
            context = contextvars.copy_context()
            # The read is for many: what is logged of it must not go by the id of one request.
            context.run(structlog.contextvars.clear_contextvars)
            loop = asyncio.get_running_loop()
            self._reading = loop.create_task(self._read_all(), context=context)
        return await asyncio.shield(answer)

    async def _read_all(self) -> None:
        try:
            while self._asked:
                some = [*self._asked][:AT_ONCE]
                await self._answer({question: self._asked.pop(question) for question in some})
        finally:
            self._reading = None

    async def _answer(self, asked: Mapping[Question, asyncio.Future[Answer]]) -> None:
        try:
            found = await self._read([*asked])
            for question, answer in asked.items():
                answer.set_result(found[question])
        except Exception as error:
            for answer in asked.values():
                answer.set_exception(error)
        finally:
            for answer in asked.values():
                answer.cancel()
