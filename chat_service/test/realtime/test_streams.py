"""The same events over server-sent events and long-poll."""

import asyncio
import json

import pytest

from chat_service.test.builders import Person, Workspace
from chat_service.test.realtime.talkers import PATIENCE, Address


@pytest.fixture
async def customer(workspace: Workspace) -> Person:
    """Whose session it is."""
    return await workspace.customer()


@pytest.fixture
async def session_id(customer: Person) -> str:
    """A session with three messages."""
    session_id = str((await customer.start("1"))["session"]["id"])
    for text in ("2", "3"):
        await customer.send(session_id, text)
    return session_id


@pytest.mark.conformance(36)
async def test_sse_last_event_id_equals_websocket_after(
    address: Address, customer: Person, session_id: str
) -> None:
    first = (await customer.events(session_id))[0]["cursor"]
    async with address.socket(customer) as socket:
        await socket.follow(session_id, after=first)
        over_socket = await socket.until_seq(session_id, 3)
    over_sse = []
    async with address.stream(customer, session_id, headers={"Last-Event-ID": first}) as source:
        async for told in source:
            if told.event == "message.created":
                over_sse.append((told.id, json.loads(told.data)))
            if len(over_sse) == 2:
                break
    assert [event for _, event in over_sse] == over_socket
    assert [cursor for cursor, _ in over_sse] == [event["cursor"] for event in over_socket]


async def test_a_stream_tells_what_happens_while_it_is_open(
    address: Address, customer: Person, session_id: str
) -> None:
    async with address.stream(customer, session_id, after_seq=3) as source:
        told = aiter(source)
        assert (await anext(told)).event == "state"
        await customer.send(session_id, "4")
        event = await asyncio.wait_for(anext(told), PATIENCE)
    assert (event.event, json.loads(event.data)["seq"]) == ("message.created", 4)


async def test_long_poll_answers_when_something_happens(
    address: Address, customer: Person, session_id: str
) -> None:
    last = (await customer.events(session_id))[-1]["cursor"]
    waiting = asyncio.create_task(customer.events(session_id, after=last, wait=20))
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    assert not done
    await customer.send(session_id, "4")
    events = await asyncio.wait_for(waiting, PATIENCE)
    assert [event["seq"] for event in events] == [4]


@pytest.mark.conformance(38)
async def test_long_poll_page_walk_equals_websocket_log(
    address: Address, customer: Person, session_id: str
) -> None:
    async with address.socket(customer) as socket:
        await socket.follow(session_id, after="c1.p.0")
        log = await socket.until_seq(session_id, 3)
    walked, cursor = [], "c1.p.0"
    while page := await customer.events(session_id, after=cursor, limit=1, wait=0.1):
        walked += page
        cursor = page[-1]["cursor"]
    assert walked == log


async def test_a_stream_ends_when_its_token_does(
    address: Address, customer: Person, session_id: str
) -> None:
    async with address.stream(customer, session_id, after_seq=3) as source:
        told = aiter(source)
        await anext(told)
        await customer.post("/v1/auth/sign-out")
        async with asyncio.timeout(PATIENCE):
            assert [event.event async for event in told] == []
