"""What `/metrics` tells of live delivery: who is connected, what reaches them, why they go."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import httpx2
import pytest

from chat_service.app import create_app
from chat_service.events.broker import Hint, LocalBroker, Message
from chat_service.events.source import Growth, Row, moment
from chat_service.schema import WorkspaceId, new_id
from chat_service.test.builders import Person, Workspace
from chat_service.test.conftest import config_of
from chat_service.test.figures import Figures, grown, read, series
from chat_service.test.realtime.talkers import PATIENCE, Address


@pytest.fixture
async def customer(workspace: Workspace) -> Person:
    """Whose session it is."""
    return await workspace.customer()


@pytest.fixture
async def session_id(customer: Person) -> str:
    """A session with one message."""
    return str((await customer.start("1"))["session"]["id"])


class Remote(LocalBroker):
    """A broker whose other end is the test."""

    receive: Callable[[Message], None]
    outage: Callable[[bool], None]

    async def start(
        self, receive: Callable[[Message], None], outage: Callable[[bool], None]
    ) -> None:
        self.receive, self.outage = receive, outage


async def until(client: httpx2.AsyncClient, wanted: Callable[[Figures], bool]) -> Figures:
    """The figures as soon as they are as wanted."""
    async with asyncio.timeout(PATIENCE):
        while not wanted(figures := await read(client)):
            await asyncio.sleep(0.02)
    return figures


def connections(kind: str) -> str:
    """The series of one kind of connection."""
    return series("chat_connections", kind=kind)


async def test_shows_who_is_connected_by_kind(
    address: Address, customer: Person, session_id: str, client: httpx2.AsyncClient
) -> None:
    names = [connections(kind) for kind in ("socket", "stream", "poll")]
    names += ["chat_followed_sessions", "chat_feeds"]
    before = await until(client, lambda figures: not any(figures[name] for name in names))
    wait = {"after": (await customer.events(session_id))[-1]["cursor"], "wait": "25"}
    path = f"/v1/sessions/{session_id}/events"
    async with address.socket(customer) as socket, address.stream(customer, session_id) as source:
        await socket.follow(session_id)
        told = aiter(source)
        await anext(told)
        polling = asyncio.create_task(customer.get(path, params=wait))
        during = await until(client, lambda figures: figures[connections("poll")] > 0)
        await customer.send(session_id)
        await polling
    assert {name: during[name] - before[name] for name in names} == dict.fromkeys(names, 1)
    await until(client, lambda figures: not any(figures[name] for name in names))


async def test_counts_an_event_once_for_each_connection(
    address: Address, customer: Person, session_id: str, client: httpx2.AsyncClient
) -> None:
    before = await read(client)
    async with address.socket(customer) as one, address.socket(customer) as other:
        for socket in (one, other):
            await socket.follow(session_id)
        for _ in range(3):
            await customer.send(session_id)
        for socket in (one, other):
            await socket.until_seq(session_id, 4)
    assert grown(before, await read(client))["chat_events_delivered_total"] == 6


async def test_counts_resets_by_reason(
    address: Address, customer: Person, session_id: str, client: httpx2.AsyncClient
) -> None:
    before = await read(client)
    async with address.socket(customer) as socket:
        stream = f"session:{session_id}"
        ahead = {"after": "c1.p.9.00000000", "on_reset": "error"}
        await socket.say(op="subscribe", id=1, stream=stream, **ahead)
        await socket.until("unsubscribed")
    growth = grown(before, await read(client))
    assert growth[series("chat_resets_total", reason="cursor_ahead")] == 1


async def test_counts_the_sockets_it_closes_by_code(
    address: Address, customer: Person, client: httpx2.AsyncClient
) -> None:
    before = await read(client)
    async with address.socket(customer) as socket:
        await socket.connection.send("no frame")
        await socket.connection.wait_closed()
    growth = grown(before, await read(client))
    assert growth[series("chat_socket_closes_total", code=4500)] == 1


async def test_tells_of_the_broker_and_what_goes_over_it(tmp_path: Path) -> None:
    remote = Remote()
    service = create_app(config_of(f"sqlite:///{tmp_path / 'chat.db'}", tmp_path), broker=remote)
    transport = httpx2.ASGITransport(app=service)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        await service.hub.start()
        before, workspace_id = await read(client), WorkspaceId(new_id())
        remote.outage(True)
        assert (await read(client))["chat_broker_up"] == 0
        remote.outage(False)
        assert (await read(client))["chat_broker_up"] == 1
        remote.receive(Hint(workspace=workspace_id, pos=1))
        for pos in (2, 3):
            row = cast(Row, SimpleNamespace(pos=pos))
            service.hub.grown(Growth(workspace_id, None, [row], moment()))
        growth = grown(before, await read(client))
        await service.hub.stop()
    await service.database.engine.dispose()
    assert growth[series("chat_broker_messages_total", kind="received")] == 1
    assert growth[series("chat_broker_messages_total", kind="published")] == 2
