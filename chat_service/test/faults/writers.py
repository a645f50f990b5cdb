"""People who write to a service that may fail at any moment.

Each has ids of its own for what he sends, and repeats with the same id until he is answered.
"""

import asyncio
from random import Random
from time import monotonic
from typing import Any, Final
from uuid import UUID

import httpx2

from chat_service.test.builders import Json, message, unique
from chat_service.test.faults.history import Claim, Send
from chat_service.test.faults.notes import Notes
from chat_service.test.faults.tenants import Chat, Chatter, Tenant

WORDS: Final = "Hello"
NOTES: Final = 0.4
"""How much of what staff write are notes."""
HOT: Final = 0.5
"""How much of what staff write goes to the hot chat."""


class Writers:
    """Those who write in one workspace until they are told to stop."""

    def __init__(self, tenant: Tenant, notes: Notes, random: Random) -> None:
        self.tenant = tenant
        self.notes = notes
        self.next_text = WORDS
        """What the next message says."""
        self._random = random
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, count: int) -> None:
        """Let `count` of them write: customers, a third in the hot chat, staff, comers and goers."""
        self._stopping = False
        hot, *others = self.tenant.chats
        comers = count // 10
        tabs = count // 3
        self._tasks = [
            *(asyncio.create_task(self._chat(hot)) for _ in range(tabs)),
            *(asyncio.create_task(self._chat(chat)) for chat in others),
            *(asyncio.create_task(self._come_and_go(chat)) for chat in others[:comers]),
        ]
        staff = self.tenant.agents
        for at in range(count - len(self._tasks)):
            self._tasks.append(asyncio.create_task(self._answer(staff[at % len(staff)])))

    async def stop(self) -> None:
        """Let everybody be answered and stop; raises what one of them raised."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    def raise_if_failed(self) -> None:
        """Raise what one of them raised, if one has."""
        for task in self._tasks:
            if task.done() and not self._stopping:
                task.result()

    async def send(self, who: Chatter, session_id: str, text: str = WORDS, **fields: Any) -> Json:
        """Send a message until it is acknowledged; the message."""
        body = message(text, **fields)
        answer = await self.notes.insist(lambda: self.try_send(who, session_id, body))
        shown: Json = answer["message"]
        return shown

    async def try_send(self, who: Chatter, session_id: str, body: Json) -> httpx2.Response | None:
        """One attempt to send a message; the answer, None if it never came."""
        attempt = Send(UUID(session_id), who.slot, body["client_message_id"], monotonic())
        path = f"/v1/sessions/{session_id}/messages"
        response = await self.notes.answer_of("POST", who, path, json=body)
        if response is not None and response.status_code == 201:
            self.notes.acknowledge(attempt, response.json()["message"])
        else:
            self.notes.unanswered.append(attempt)
        return response

    async def begin(self, who: Chatter, text: str = WORDS) -> str:
        """Start a session with a first message until it is acknowledged; the session's id."""
        first, began = message(text), []
        body = {"client_session_id": unique(), "initial_message": first}

        async def attempt() -> httpx2.Response | None:
            began.append(monotonic())
            return await self.notes.answer_of("POST", who, "/v1/sessions", json=body)

        answer = await self.notes.insist(attempt)
        session_id = UUID(answer["session"]["id"])
        sends = [Send(session_id, who.slot, first["client_message_id"], at) for at in began]
        self.notes.unanswered += sends[:-1]
        self.notes.acknowledge(sends[-1], answer["message"])
        return str(session_id)

    async def claim(self, agent: Chatter, session_id: str) -> None:
        """Take a session that nobody else takes."""
        await self._post(agent, f"/v1/sessions/{session_id}/claim")
        self.notes.claims.append(Claim(UUID(session_id), UUID(agent.person.id)))

    async def close(self, who: Chatter, session_id: str) -> None:
        """End a session."""
        await self._post(who, f"/v1/sessions/{session_id}/close")

    async def _post(self, who: Chatter, path: str) -> None:
        await self.notes.insist(lambda: self.notes.answer_of("POST", who, path, json={}))

    async def _chat(self, chat: Chat) -> None:
        """A tab of a customer."""
        while not self._stopping:
            await self.send(chat.customer, chat.id, self._text())

    async def _answer(self, agent: Chatter) -> None:
        """A window of an agent, who answers here and there and writes notes."""
        chats = self.tenant.chats
        while not self._stopping:
            hot = self._random.random() < HOT
            chat = chats[0] if hot else self._random.choice(chats)
            note = self._random.random() < NOTES
            visibility = "internal" if note else "public"
            await self.send(agent, chat.id, self._text(), visibility=visibility)

    async def _come_and_go(self, chat: Chat) -> None:
        """A customer who starts one more chat again and again; it is claimed and closed."""
        while not self._stopping:
            session_id = await self.begin(chat.customer, self._text())
            await self.claim(self.tenant.agents[0], session_id)
            await self.close(chat.customer, session_id)

    def _text(self) -> str:
        text, self.next_text = self.next_text, WORDS
        return text
