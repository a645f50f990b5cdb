"""How many connections one principal may have: sockets by themselves, streams and long-polls together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from chat_service.realtime.peer import Door
from chat_service.test.builders import Person, Workspace
from chat_service.test.realtime.bare import bare_socket
from chat_service.test.realtime.list_client import until
from chat_service.test.realtime.talkers import Address
from chat_service.test.realtime.tuned import tuned

SOCKETS = 5


@asynccontextmanager
async def begun(address: Address, person: Person, session_id: str) -> AsyncIterator[None]:
    """A stream that has begun."""
    async with address.stream(person, session_id) as source:
        told = aiter(source)
        assert (await anext(told)).event == "state"
        yield


async def ask(address: Address, person: Person, path: str, accept: str) -> httpx2.Response:
    """One request for what happens, to its end."""
    headers = {"Authorization": f"Bearer {person.token}", "Accept": accept}
    async with httpx2.AsyncClient(timeout=20) as http:
        return await http.get(f"http://{address.place}{path}", headers=headers)


@pytest.mark.api_top10("API4")
async def test_of_many_sockets_that_do_not_leave_the_newest_stay(workspace: Workspace) -> None:
    """Those that are told of it still stand there while their goodbye waits to be read."""
    customer = await workspace.customer()
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(bare_socket(workspace.service, customer))
            for _ in range(2 * SOCKETS)
        ]
        for socket in opened[SOCKETS:]:
            socket.say(op="ping", t=1)
            await socket.until("pong")
        for socket in opened[:SOCKETS]:
            assert (await socket.until("close"))["code"] == 4504


async def test_streams_are_no_sockets(database_url: str, tmp_path: Path) -> None:
    async with tuned(database_url, tmp_path, sockets_per_customer=2) as place:
        customer = await place.workspace.customer()
        session_id = (await customer.start())["session"]["id"]
        async with place.address.socket(customer) as socket, AsyncExitStack() as stack:
            for _ in range(3):
                await stack.enter_async_context(begun(place.address, customer, session_id))
            await stack.enter_async_context(place.address.socket(customer))
            await socket.say(op="ping", t=1)
            assert (await socket.until("pong"))["t"] == 1
            assert place.service.hub.connected[Door.STREAM] == 3


@pytest.mark.parametrize(
    ("accept", "query"),
    [("text/event-stream", ""), ("application/json", "&wait=10")],
    ids=["stream", "poll"],
)
@pytest.mark.parametrize(
    "path",
    ["/v1/sessions/{}/events?after_seq=1", "/v1/sessions/changes?limit=9"],
    ids=["session", "list"],
)
@pytest.mark.api_top10("API4")
async def test_a_stream_or_poll_too_many_is_refused_and_no_other_ended(
    database_url: str, tmp_path: Path, path: str, accept: str, query: str
) -> None:
    async with tuned(database_url, tmp_path, streams_per_principal=2) as place:
        agent, other = await place.workspace.agent(), await place.workspace.agent()
        session_id = (await (await place.workspace.customer()).start())["session"]["id"]
        path = path.format(session_id) + query
        if "changes" in path:
            path += "&after=" + (await agent.get("/v1/sessions")).json()["feed_cursor"]
        hub = place.service.hub
        polled = asyncio.create_task(agent.events(session_id, after_seq=1, wait=20))
        async with begun(place.address, agent, session_id):
            await until(lambda: hub.connected[Door.POLL] == 1)
            refused = await ask(place.address, agent, path, accept)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
            assert refused.json()["code"] == "overloaded"
            assert hub.connected == {Door.POLL: 1, Door.STREAM: 1}
            async with begun(place.address, other, session_id):
                assert not polled.done()
        await until(lambda: not hub.connected[Door.STREAM])
        async with begun(place.address, agent, session_id):
            await agent.send(session_id)
            assert len(await polled) > 0


async def test_who_says_hello_when_the_others_were_dismissed_is_dismissed_too(
    database_url: str, tmp_path: Path
) -> None:
    async with tuned(database_url, tmp_path) as place:
        customer = await place.workspace.customer()
        session_id = (await customer.start())["session"]["id"]
        async with place.address.socket() as socket:
            await place.service.hub.drain(0)
            await socket.say(op="hello", token=customer.token)
            assert await socket.closed() == 1012
        async with place.address.stream(customer, session_id) as source:
            assert [event.event async for event in source] == ["state"]
