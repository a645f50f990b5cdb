"""A database set back to an older copy, while nobody looks and under living clients: promise 33."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest

from chat_service.app import create_app
from chat_service.config import Config
from chat_service.model import is_sqlite
from chat_service.schema import Role
from chat_service.test.builders import Json, Person, Workspace, build_workspace, message
from chat_service.test.conformance.restoring import Copy, copied
from chat_service.test.events.apart import client_of, started
from chat_service.test.realtime.pairs import node
from chat_service.test.realtime.talkers import PATIENCE, Address, Socket

KEPT, LOST = 3, 3
CODES = {"cursor_ahead", "cursor_mismatch"}


@dataclass
class Stage:
    """A chat of three messages, and the database as it is with them."""

    config: Config
    workspace: Workspace
    customer: Person
    boss: Person
    session_id: str
    copy: Copy

    def people(self, client: httpx2.AsyncClient) -> list[Person]:
        """Both sides of the chat, at one node."""
        return [replace(person, client=client) for person in (self.customer, self.boss)]


@dataclass
class Node:
    """One service that runs."""

    client: httpx2.AsyncClient
    address: Address


@pytest.fixture
async def stage(own_config: Config) -> AsyncIterator[Stage]:
    """Everything that is kept."""
    async with started(own_config) as service, client_of(service) as client:
        workspace = await build_workspace(service, client)
        customer, boss = await workspace.customer(), await workspace.agent(Role.ADMIN)
        session_id = (await customer.start("1"))["session"]["id"]
        for text in range(2, KEPT + 1):
            await customer.send(session_id, str(text))
    async with copied(own_config.database.url) as copy:
        yield Stage(own_config, workspace, customer, boss, session_id, copy)


@pytest.fixture
def workspace(stage: Stage) -> Workspace:
    """The one whose log is looked at in the end."""
    return stage.workspace


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[list[Node]]:
    """Two services on the database; one where it is a SQLite file."""
    async with AsyncExitStack() as stack:
        nodes = []
        for _ in "12":
            service, address = await stack.enter_async_context(node(create_app(config)))
            client = await stack.enter_async_context(client_of(service))
            nodes.append(Node(client, address))
            if is_sqlite(service.database.engine):
                break
        yield nodes


async def say(person: Person, session_id: str, text: str) -> None:
    """Send until it is acknowledged, as a client does whose service finds no database."""
    body = message(text)
    async with asyncio.timeout(PATIENCE):
        while True:
            sent = await person.post(f"/v1/sessions/{session_id}/messages", body)
            if sent.status_code == 201:
                return
            assert sent.status_code == 503, sent.text
            await asyncio.sleep(0.05)


async def say_all(person: Person, session_id: str, *texts: str) -> None:
    """One after the other."""
    for text in texts:
        await say(person, session_id, text)


def texts(events: list[Json]) -> list[str]:
    """What messages say."""
    said = (event["data"].get("message") for event in events)
    return [message["content"]["text"] for message in said if message]


async def refusal(person: Person, session_id: str, **params: Any) -> Json:
    """The problem that answers a page of events, as soon as there is a database again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            path = f"/v1/sessions/{session_id}/events"
            response = await person.get(path, params=params)
            if response.status_code != 503:
                problem: Json = response.json()
                return problem
            await asyncio.sleep(0.05)


@pytest.mark.conformance(33)
@pytest.mark.parametrize("others", [1, 5], ids=["shorter", "longer"])
async def test_database_rewind_gives_reset_not_wrong_events(stage: Stage, others: int) -> None:
    session_id = stage.session_id
    async with running(stage.config) as nodes:
        customer, boss = stage.people(nodes[0].client)
        kept = {who.id: (await who.events(session_id))[-1]["cursor"] for who in (customer, boss)}
        await say_all(customer, session_id, "lost", "lost", "lost")
        old = {who.id: (await who.events(session_id))[-1]["cursor"] for who in (customer, boss)}
    await stage.copy.restore()
    async with running(stage.config) as nodes:
        customer, boss = stage.people(nodes[0].client)
        await say_all(customer, session_id, *(f"other {number}" for number in range(others)))
        for place in nodes:
            for who in stage.people(place.client):
                await resumes_with_reset(place.address, who, session_id, old[who.id])
                async with place.address.socket(who) as socket:
                    answer = await socket.follow(session_id, after=kept[who.id])
                    assert answer["resumed"] is True
                    told = await socket.until_seq(session_id, KEPT + others)
                assert texts(told) == [f"other {number}" for number in range(others)]


async def resumes_with_reset(address: Address, who: Person, session_id: str, cursor: str) -> None:
    """Whatever the transport, a cursor of the lost log brings nothing but the news of its loss."""
    async with address.socket(who) as socket:
        assert (await socket.follow(session_id, after=cursor))["resumed"] is False
        assert (await socket.until("reset"))["reason"] in CODES
        snapshot = await socket.until("snapshot")
        assert "lost" not in json.dumps(snapshot)
        assert socket.events == {}
    async with address.stream(who, session_id, headers={"Last-Event-ID": cursor}) as source:
        await source.response.aread()
        assert (source.response.status_code, source.response.json()["code"] in CODES) == (409, True)
    for wait in (0, 5):
        assert (await refusal(who, session_id, after=cursor, wait=wait))["code"] in CODES


class Listening:
    """Everybody who listens at one node, over each transport, and has heard what will be lost."""

    def __init__(self, place: Node, person: Person, session_id: str, cursor: str) -> None:
        self._place = place
        self._person = person
        self._session_id = session_id
        self._cursor = cursor
        self._ready = asyncio.Barrier(4)

    async def be_told(self, begun: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Begin to listen; each ends when it was told of the rewind, and of nothing wrong."""
        ways = (self._over_websocket, self._over_sse, self._over_long_poll)
        tasks = [begun.create_task(way()) for way in ways]
        await self._ready.wait()
        return tasks

    async def _over_websocket(self) -> None:
        async with self._place.address.socket(self._person) as socket:
            kind = self._cursor.split(".")[1]
            await socket.follow(self._session_id, after=f"c1.{kind}.0")
            await socket.until_seq(self._session_id, KEPT + LOST)
            await self._ready.wait()
            await socket.until("reset")
            told = texts(socket.events.pop(f"session:{self._session_id}"))
            assert told[KEPT:] == ["lost"] * LOST
            await self._goes_on(socket)

    async def _goes_on(self, socket: Socket) -> None:
        snapshot = await socket.until("snapshot")
        assert "lost" not in json.dumps(snapshot)
        await say(self._person, self._session_id, "after")
        while "after" not in texts(socket.events.get(f"session:{self._session_id}", [])):
            async with asyncio.timeout(PATIENCE):
                await socket.next()
        assert "lost" not in json.dumps(socket.events)

    async def _over_sse(self) -> None:
        given = {"headers": {"Last-Event-ID": self._cursor}}
        async with self._place.address.stream(self._person, self._session_id, **given) as source:
            told = aiter(source)
            assert (await anext(told)).event == "state"
            await self._ready.wait()
            async with asyncio.timeout(PATIENCE):
                names = [event.event async for event in told if event.event != "state"]
        assert names == ["reset"]

    async def _over_long_poll(self) -> None:
        asked = refusal(self._person, self._session_id, after=self._cursor, wait=25)
        waiting = asyncio.create_task(asked)
        await asyncio.sleep(0.2)
        await self._ready.wait()
        assert (await waiting)["code"] in CODES


@pytest.mark.conformance("failover_rewind_under_live_connections_resets_everyone")
@pytest.mark.parametrize("others", [0, 1, 5], ids=["nothing", "shorter", "longer"])
async def test_failover_rewind_under_live_connections_resets_everyone(
    stage: Stage, others: int
) -> None:
    session_id = stage.session_id
    async with running(stage.config) as nodes, asyncio.TaskGroup() as group:
        customer, _ = stage.people(nodes[0].client)
        await say_all(customer, session_id, *["lost"] * LOST)
        for place in nodes:
            for who in stage.people(place.client):
                cursor = (await who.events(session_id))[-1]["cursor"]
                await Listening(place, who, session_id, cursor).be_told(group)
        await stage.copy.restore()
        await say_all(customer, session_id, *(f"other {number}" for number in range(others)))


async def test_a_session_that_is_no_more_ends_its_stream_and_leaves_the_socket(
    stage: Stage,
) -> None:
    async with running(stage.config) as nodes:
        _, boss = stage.people(nodes[0].client)
        ada = await replace(stage.workspace, client=nodes[0].client).customer()
        lost = (await ada.start("lost"))["session"]["id"]
        async with nodes[-1].address.socket(boss) as socket:
            for session_id in (stage.session_id, lost):
                await socket.follow(session_id)
            await stage.copy.restore()
            ended = await socket.until("unsubscribed", stream=f"session:{lost}")
            assert (ended["code"], ended["resubscribe"]) == ("not_found", False)
            await socket.say(op="ping", t=7)
            await socket.until("pong", t=7)
