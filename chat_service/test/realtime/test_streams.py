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


async def test_a_stream_ends_when_its_token_does(
    address: Address, customer: Person, session_id: str
) -> None:
    async with address.stream(customer, session_id, after_seq=3) as source:
        told = aiter(source)
        await anext(told)
        await customer.post("/v1/auth/sign-out")
        async with asyncio.timeout(PATIENCE):
            # What holds beside the log may have been on its way.
            assert {event.event async for event in told} <= {"state"}


async def test_a_long_poll_asks_again_who_waits(customer: Person, session_id: str) -> None:
    path = f"/v1/sessions/{session_id}/events"
    waiting = asyncio.create_task(customer.get(path, params={"after_seq": 3, "wait": 20}))
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    assert not done
    await customer.post("/v1/auth/sign-out")
    assert (await asyncio.wait_for(waiting, PATIENCE)).status_code == 401
