"""People who read while others write: the state of a chat, its messages, and its events."""

import asyncio
from itertools import cycle
from random import Random
from time import monotonic
from typing import Any, Final, Literal
from uuid import UUID

import httpx2

from chat_service.test.faults.history import Page
from chat_service.test.faults.notes import Notes
from chat_service.test.faults.records import Viewer
from chat_service.test.faults.tenants import Chat, Chatter, Tenant

Kind = Literal["session", "messages", "events"]
KINDS: Final[tuple[Kind, ...]] = ("messages", "events", "session")
PATHS: Final = {"session": "", "messages": "/messages", "events": "/events"}
PAUSE: Final = 0.25
"""Seconds between two reads of one reader."""
BACK: Final = 20
"""How many events before the last one known a reader asks for again."""


class Readers:
    """Those who read the chats of one workspace until they are told to stop."""

    def __init__(self, tenant: Tenant, notes: Notes, random: Random) -> None:
        self.tenant = tenant
        self.notes = notes
        self._random = random
        self._known: dict[tuple[str, Viewer], int] = {}
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, count: int) -> None:
        """Let `count` of them read, customers and staff in turn."""
        self._stopping = False
        viewers: tuple[Viewer, ...] = ("customer", "staff")
        self._tasks = [
            asyncio.create_task(self._read_on(viewers[at % 2], at)) for at in range(count)
        ]

    async def stop(self) -> None:
        """Let everybody be answered and stop; raises what one of them raised."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def read(self, who: Chatter, viewer: Viewer, of: Kind, session_id: str) -> Page | None:
        """Read once, and note what was shown; None if there was no answer."""
        known = self._known.get((session_id, viewer), 0)
        wanted: dict[str, dict[str, int]] = {
            "events": {"after_seq": max(0, known - BACK), "limit": 200}
        }
        path = f"/v1/sessions/{session_id}{PATHS[of]}"
        began = monotonic()
        response = await self.notes.answer_of("GET", who, path, params=wanted.get(of))
        if response is None or response.status_code != 200:
            return None
        as_of, entries = _shown(of, response.json())
        raw = _raw(response) if viewer == "customer" else ""
        page = Page(UUID(session_id), viewer, of, began, monotonic(), as_of, entries, raw)
        self.notes.pages.append(page)
        if of == "events" and entries:
            self._known[session_id, viewer] = max(known, entries[-1][0])
        return page

    async def _read_on(self, viewer: Viewer, at: int) -> None:
        for of in cycle(KINDS[at % 3 :] + KINDS[: at % 3]):
            if self._stopping:
                return
            chat: Chat = self._random.choice(self.tenant.chats)
            who = chat.customer if viewer == "customer" else self.tenant.agents[0]
            await self.read(who, viewer, of, chat.id)
            await asyncio.sleep(PAUSE)


def _shown(of: Kind, body: Any) -> tuple[int | None, tuple[tuple[int, UUID], ...]]:
    """The state an answer promises to know, and what it shows."""
    if of == "session":
        return body["session"]["last_seq"], ()
    entries = tuple((item["seq"], UUID(item["id"])) for item in body["data"])
    if of == "messages":
        return body["as_of"]["seq"], entries
    return (entries[-1][0] if entries and not body["has_more"] else None), entries


def _raw(response: httpx2.Response) -> str:
    heads = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
    return f"{heads}\n\n{response.text}"
