"""All nodes restarted, one after the other, while people write and read: the promise 39."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count as counting

import httpx2
import pytest

from chat_service.config import Config
from chat_service.schema import Role
from chat_service.test.backends import count, limited_to
from chat_service.test.builders import Json, Person, Workspace, build_workspace, message
from chat_service.test.conformance.processes import serving
from chat_service.test.conformance.roaming import Roamer
from chat_service.test.events.apart import client_of, started
from chat_service.test.faults.victim import Victim
from chat_service.test.realtime.talkers import Address

WRITERS = 3
PAUSE = 0.05
"""Seconds between two tries or messages: a node that starts needs the processor too."""
BETWEEN = 20
"""So many acknowledgements before the next node goes."""
DRAIN = {"SERVER_DRAIN_WINDOW_SECONDS": "0.5"}


@dataclass
class Talk:
    """A session that people write in, at whichever node answers."""

    nodes: list[Victim]
    customer: Person
    session_id: str
    over: bool = False
    acks: dict[str, Json] = field(default_factory=dict)
    """By `client_message_id` the message that was acknowledged."""

    async def write(self, first: int) -> None:
        """Send message after message, each until it is acknowledged."""
        headers = {"Authorization": f"Bearer {self.customer.token}"}
        path = f"/v1/sessions/{self.session_id}/messages"
        async with httpx2.AsyncClient(headers=headers) as client:
            while not self.over:
                body = message()
                for at in counting(first):
                    node = self.nodes[at % len(self.nodes)]
                    if sent := await self._try(client, f"{node.address}{path}", body):
                        self.acks[body["client_message_id"]] = sent
                        break
                    await asyncio.sleep(PAUSE)
                await asyncio.sleep(PAUSE)

    async def acknowledged(self, more: int) -> None:
        """Wait for so many more acknowledgements."""
        wanted = len(self.acks) + more
        while len(self.acks) < wanted:
            await asyncio.sleep(0.01)

    async def follow(self, roamer: Roamer) -> None:
        """Read on from node to node, wherever there is one."""
        for at in counting():
            if self.over:
                return
            node = self.nodes[at % len(self.nodes)]
            await roamer.try_to_read_on(_at(node), upto=max(len(self.acks), roamer.seq) + 1)
            await asyncio.sleep(PAUSE)

    async def _try(self, client: httpx2.AsyncClient, url: str, body: Json) -> Json | None:
        try:
            response = await client.post(url, json=body)
        except httpx2.TransportError:
            return None
        assert response.status_code in (201, 503), response.text
        return response.json()["message"] if response.status_code == 201 else None


@pytest.fixture
async def talk(own_config: Config) -> AsyncIterator[tuple[Talk, Workspace, Person]]:
    """A session, before there is a node."""
    async with started(own_config) as service, client_of(service) as client:
        workspace = await build_workspace(service, client)
        customer, boss = await workspace.customer(), await workspace.agent(Role.ADMIN)
        session_id = (await customer.start("1"))["session"]["id"]
    yield Talk([], customer, session_id), workspace, boss


@pytest.fixture
def workspace(talk: tuple[Talk, Workspace, Person]) -> Workspace:
    """The one whose log is looked at in the end."""
    return talk[1]


def _at(node: Victim) -> Address:
    return Address(f"127.0.0.1:{node.port}")


@pytest.mark.conformance(39)
@pytest.mark.timeout(count(90, many=900))
@limited_to("postgres", "nats")
async def test_rolling_restart_of_all_nodes_loses_nothing(
    own_config: Config, talk: tuple[Talk, Workspace, Person]
) -> None:
    chat, _, boss = talk
    readers = [Roamer(chat.customer, chat.session_id), Roamer(boss, chat.session_id, "c1.s.0")]
    async with AsyncExitStack() as stack:
        for _ in range(1 if own_config.database.url.startswith("sqlite") else 2):
            chat.nodes.append(await stack.enter_async_context(serving(own_config, **DRAIN)))
        async with asyncio.TaskGroup() as group:
            for number in range(WRITERS):
                group.create_task(chat.write(number))
            for reader in readers:
                group.create_task(chat.follow(reader))
            for _ in range(count(1, many=10)):
                for node in chat.nodes:
                    await chat.acknowledged(BETWEEN)
                    await asyncio.to_thread(node.stop)
                    await node.start()
            await chat.acknowledged(BETWEEN)
            chat.over = True
        for reader in readers:
            await reader.read_on(_at(chat.nodes[0]), upto=len(chat.acks) + 1)
            told = [event["data"]["message"] for event in reader.applied]
            keys = [said["client_message_id"] for said in told[1:]]
            assert sorted(keys) == sorted(chat.acks)
            assert {said["id"] for said in told[1:]} == {each["id"] for each in chat.acks.values()}
