"""What clients of a failing service note, and how they insist: the same request until an answer."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from time import monotonic
from typing import Any, Final
from uuid import UUID

import httpx2

from chat_service.test.builders import Json
from chat_service.test.faults.acks import Acks
from chat_service.test.faults.history import Claim, History, Page, Send, Stretch, check
from chat_service.test.faults.stored import read_history
from chat_service.test.faults.tenants import Chatter

PATIENCE: Final = 120.0
"""Seconds after which somebody who is not answered gives up: well above the longest outage."""
PAUSE: Final = 0.25
"""Seconds between two attempts."""
DONE: Final = (200, 201)
LATER: Final = (503, 507)
"""Answers that tell a caller to send the same again."""
LOST: Final = "lost"


class GaveUp(Exception):
    """Somebody was not answered in time, or was refused what is his right."""


class Notes:
    """All that clients were told; acknowledged sends stand in the file of `acks`."""

    def __init__(self, acks: Acks) -> None:
        self.acks = acks
        self.unanswered: list[Send] = []
        self.claims: list[Claim] = []
        self.pages: list[Page] = []
        self.stretches: list[Stretch] = []
        self.resets: list[str] = []
        """Who was told that the log is not what it was."""
        self.refusals: Counter[str] = Counter()
        """Problems that tell to send again, by code; LOST counts answers that never came."""
        self.surprises: list[str] = []
        """Answers that nobody should get."""

    async def answer_of(
        self, method: str, who: Chatter, path: str, **rest: Any
    ) -> httpx2.Response | None:
        """The answer to one request, None if it never came."""
        try:
            response = await who.person.call(method, path, **rest)
        except httpx2.TransportError:
            self.refusals[LOST] += 1
            return None
        if response.status_code in LATER:
            self.refusals[_code(response)] += 1
        elif response.status_code not in DONE:
            self.surprises.append(f"{method} {path}: {response.status_code} {response.text}")
        return response

    async def insist(self, attempt: Callable[[], Awaitable[httpx2.Response | None]]) -> Json:
        """Make attempts until one is answered; the body. Raises GaveUp."""
        give_up = monotonic() + PATIENCE
        while monotonic() < give_up:
            response = await attempt()
            if response is not None and response.status_code in DONE:
                body: Json = response.json()
                return body
            if response is not None and response.status_code < 500:
                raise GaveUp(response.text)
            await asyncio.sleep(PAUSE)
        raise GaveUp(f"{self.refusals}, {self.surprises[-1:]}")

    def acknowledge(self, attempt: Send, shown: Json) -> None:
        """Note that a message was acknowledged just now, and how it was shown."""
        customer = attempt.author_slot == "customer"
        self.acks.write(
            replace(
                attempt,
                ended=monotonic(),
                seq=None if customer else shown["seq"],
                public_seq=shown["seq"] if customer else shown["public_seq"],
                message_id=UUID(shown["id"]),
            )
        )

    def note_reset(self, subscriber: str, reason: str) -> None:
        """Somebody was told to begin anew: what he was told before is of another log."""
        self.resets.append(f"{subscriber}: {reason}")
        self.stretches = [each for each in self.stretches if each.subscriber != subscriber]

    async def history(self, url: str) -> History:
        """What was noted and what is stored; nobody may be writing."""
        return replace(
            await read_history(url),
            sends=(*self.unanswered, *self.acks.read()),
            claims=tuple(self.claims),
            pages=tuple(self.pages),
            stretches=tuple(self.stretches),
        )

    async def violations(self, url: str) -> list[str]:
        """Everything that is wrong, surprising answers included."""
        resets = [f"reset for nothing: {reset}" for reset in self.resets]
        return [*self.surprises, *resets, *check(await self.history(url))]


def _code(response: httpx2.Response) -> str:
    """The code of a problem that tells its caller when to send again, as it has to."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    assert int(response.headers["retry-after"]) > 0
    problem = response.json()
    assert problem["retryable"] is True
    return str(problem["code"])
