"""A short trial of lanes: two nodes, copies of one send, a lost connection, a draft that is refused.

What it finds is what tests of the true service find; the controls show that it finds planted bugs.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from uuid import uuid4

import httpx2

from chat_service.app import create_app
from chat_service.config import Auth, Config, Database, Limits, Log
from chat_service.messages.services import MessageLanes
from chat_service.test.builders import message
from chat_service.test.conftest import UNBOUNDED
from chat_service.test.faults.acks import Acks
from chat_service.test.faults.faulty import hand_in
from chat_service.test.faults.notes import GaveUp, Notes
from chat_service.test.faults.planted import Fault, mark, plant
from chat_service.test.faults.stores import Store
from chat_service.test.faults.tenants import Chat, Chatter, build_tenant
from chat_service.test.faults.writers import Writers

MANY = 12
NEIGHBOURS = 8
"""How many good drafts stand beside one that fails."""


async def violations(
    store: Store, folder: Path, make: Callable[[Limits], MessageLanes]
) -> list[str]:
    """What is wrong with lanes, after the trial."""
    limits = Limits()
    lanes = make(limits)
    async with node(store, folder, lanes) as here, node(store, folder, make(limits)) as there:
        acks = Acks(folder / "acks")
        tenant = await build_tenant(store.url, folder, here)
        trial = Trial(Writers(tenant, Notes(acks), Random(1)), there)
        refused = await trial.run()
        acks.close()
        return [*refused, *await trial.writers.notes.violations(store.url)]


@asynccontextmanager
async def node(
    store: Store, folder: Path, lanes: MessageLanes
) -> AsyncIterator[httpx2.AsyncClient]:
    """A service with these lanes, whose connections can be lost, in this process."""
    auth = Auth(secret_key_file=str(folder / "secret_key"), hash_memory_kib=64, hash_rounds=1)
    database = Database(url=store.url, profile="fast")
    service = create_app(
        Config(
            environment="test", database=database, auth=auth, rates=UNBOUNDED, log=Log("warning")
        )
    )
    hand_in(service, lanes)
    plant(service)
    transport = httpx2.ASGITransport(app=service, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
    await service.database.engine.dispose()


@dataclass(frozen=True)
class Trial:
    """Writers at one node, and the other node."""

    writers: Writers
    there: httpx2.AsyncClient

    async def run(self) -> list[str]:
        """Try it all; who was refused what is his right."""
        chat = self.writers.tenant.chats[0]
        steps = (self._crowd, self._copies, self._lost_connection, self._refused_draft)
        return [line for step in steps for line in await step(chat)]

    async def _crowd(self, chat: Chat) -> list[str]:
        """Both nodes write to one chat at once."""
        return await self._all([(who, message()) for who in self._nodes(chat) for _ in range(MANY)])

    async def _copies(self, chat: Chat) -> list[str]:
        """Each message comes to both nodes at once."""
        bodies = [message() for _ in range(MANY)]
        return await self._all([(who, body) for who in self._nodes(chat) for body in bodies])

    async def _lost_connection(self, chat: Chat) -> list[str]:
        """A batch is rolled back when it has its numbers."""
        bodies = [message() for _ in range(NEIGHBOURS)]
        bodies.append(message(mark(Fault.ROLL_BACK, os.getpid())))
        return await self._all([(chat.customer, body) for body in bodies])

    async def _refused_draft(self, chat: Chat) -> list[str]:
        """One draft answers a message that does not exist."""
        bad = message(reply_to_id=str(uuid4()))
        good = [(chat.customer, message()) for _ in range(NEIGHBOURS)]
        lines, answer = await asyncio.gather(
            self._all(good), chat.customer.person.post(f"/v1/sessions/{chat.id}/messages", bad)
        )
        assert answer.status_code == 422
        return lines

    async def _all(self, sends: list[tuple[Chatter, dict[str, object]]]) -> list[str]:
        lines = await asyncio.gather(*(self._insist(who, body) for who, body in sends))
        return [line for line in lines if line]

    async def _insist(self, who: Chatter, body: dict[str, object]) -> str:
        session_id = self.writers.tenant.chats[0].id
        try:
            await self.writers.notes.insist(lambda: self.writers.try_send(who, session_id, body))
        except GaveUp as refusal:
            return f"refused: {refusal}"
        return ""

    def _nodes(self, chat: Chat) -> tuple[Chatter, Chatter]:
        """The chat's customer at each node."""
        elsewhere = replace(chat.customer.person, client=self.there)
        return chat.customer, replace(chat.customer, person=elsewhere)
