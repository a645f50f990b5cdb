"""Clients that leave at every point of a write: what came whole is done once, and nothing is left."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from quart.asgi import ASGIHTTPConnection

from chat_service.app import Service, create_app
from chat_service.test.builders import Workspace
from chat_service.test.faults.leaving import (
    DELAYS,
    Make,
    all_leave,
    cuts,
    leave,
    messages,
    starts,
    were_done,
)
from chat_service.test.server.apps import port_of, serving

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def port(service: Service) -> AsyncIterator[int]:
    """The service on a port, with all the connections to its database that it may ever have."""
    engine, most = service.database.engine, service.config.database.pool_size
    for connection in [await engine.connect() for _ in range(most)]:
        await connection.close()
    async with serving(service) as server:
        yield port_of(server)


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
@pytest.mark.parametrize("make", [messages, starts])
async def test_a_write_cut_before_its_end_is_not_done_and_leaves_nothing(
    service: Service, workspace: Workspace, port: int, make: Make, reset: bool
) -> None:
    points = cuts((await make(workspace, 1))[0].request)
    writes = await make(workspace, len(points))
    data = [write.request[:point] for write, point in zip(writes, points, strict=True)]
    await all_leave(service, port, [{"data": part, "reset": reset} for part in data])
    assert not any(await were_done(writes))


@pytest.mark.parametrize("make", [messages, starts])
async def test_a_write_that_came_whole_is_done_whenever_its_client_leaves(
    service: Service, workspace: Workspace, port: int, make: Make
) -> None:
    writes = await make(workspace, len(DELAYS))
    pairs = zip(writes, DELAYS, strict=True)
    await all_leave(service, port, [{"data": write.request, "after": at} for write, at in pairs])
    assert all(await were_done(writes))


async def test_a_message_whose_client_left_is_stored_once(
    service: Service, workspace: Workspace, port: int
) -> None:
    writes = await messages(workspace, 20)
    await all_leave(service, port, [{"data": write.request} for write in writes])
    assert all(await were_done(writes))
    stored = await writes[0].who.messages(writes[0].path.split("/")[3], limit=200)
    ids = [one["client_message_id"] for one in stored]
    assert sorted(ids) == sorted(write.body["client_message_id"] for write in writes)


async def test_a_client_that_leaves_fails_nobody_of_its_batch(
    workspace: Workspace, port: int
) -> None:
    leaving = await messages(workspace, 20)
    session_id = leaving[0].path.split("/")[3]
    staying = [leaving[0].who.send(session_id) for _ in range(20)]
    leavers = (leave(port, write.request, reset=at % 2 == 0) for at, write in enumerate(leaving))
    leaves = asyncio.gather(*leavers)
    answers = await asyncio.gather(*staying)
    await leaves
    assert {answer.status_code for answer in answers} == {201}


async def test_reads_whose_clients_leave_use_up_no_connections(
    service: Service, workspace: Workspace, port: int
) -> None:
    customer = await workspace.customer()
    session_id = (await customer.start())["session"]["id"]
    head = f"GET /v1/sessions/{session_id}/messages HTTP/1.1\r\nHost: test\r\n"
    request = f"{head}Authorization: Bearer {customer.token}\r\n\r\n".encode()
    leavings = [{"data": request, "after": 0.0004 * at} for at in range(100)]
    # A read that is cut costs its connection, and SQLite closes files of the old one later.
    await all_leave(service, port, leavings, spare=10 * service.config.database.pool_size)
    assert (await customer.send(session_id)).status_code == 201


@pytest.mark.parametrize("make", [messages, starts])
async def test_finds_writes_that_end_when_their_client_leaves(
    service: Service, workspace: Workspace, make: Make
) -> None:
    other = create_app(service.config)
    other.quart.asgi_http_class = ASGIHTTPConnection

    async def cutting(scope: Any, receive: Any, send: Any) -> None:
        """The framework's own way, without what keeps the client's leaving from a write."""
        with other.database.bound():
            await other.quart(scope, receive, send)

    writes = await make(workspace, len(DELAYS))
    async with serving(cutting) as server:
        for write, after in zip(writes, DELAYS, strict=True):
            await leave(port_of(server), write.request, after=after)
    await other.database.engine.dispose()
    # What was cut in the middle of a statement may keep SQLite's lock until it is collected.
    gc.collect()
    assert not all(await were_done(writes))
