"""What one process knows beside the log the other one tells, by the broker or without any."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from uuid import UUID

import orjson
import pytest

from chat_service.agents import presence
from chat_service.events.transaction import reading
from chat_service.schema import AgentId, utc_now
from chat_service.test.builders import Json, Person
from chat_service.test.postgres import FreshDatabase
from chat_service.test.realtime.pairs import Node, Pair, pair_on
from chat_service.test.realtime.talkers import PATIENCE, Socket
from chat_service.test.realtime.test_states import mark_of, staff_read, state_until
from chat_service.test.sessions.calls import act, waiting


@pytest.fixture(scope="module")
async def pair(
    fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Pair]:
    """Two services for the tests of this file."""
    folder: Path = tmp_path_factory.mktemp("pair")
    async with pair_on(fresh_database("pair"), folder, utc_now) as pair:
        yield pair


@pytest.fixture(params=[False, True], ids=["broker", "silence"])
def silent(pair: Pair, request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether the broker delivers nothing, for a test that holds with and without."""
    pair.exchange.silent = bool(request.param)
    yield pair.exchange.silent
    pair.exchange.silent = False


async def put(person: Person, session_id: str, number: int) -> None:
    """Tell by request how far a person has read."""
    path = f"/v1/sessions/{session_id}/read-state"
    response = await person.call("PUT", path, json={"read_seq": number})
    assert response.status_code == 200, response.text


def marks(state: Json) -> dict[str, int]:
    """All read marks of a state, whichever side's it is."""
    told = state["read_states"]
    if isinstance(told, list):
        return {each["participant"]["id"]: each["read_seq"] for each in told}
    return {side: each["read_seq"] for side, each in told.items()}


@pytest.mark.conformance(47)
async def test_read_watermark_is_monotonic_and_converges_on_all_devices(
    pair: Pair, silent: bool
) -> None:
    customer, bob = await pair.one.workspace.customer(), await pair.one.workspace.agent()
    session_id = await waiting(customer)
    for number in range(19):
        await customer.send(session_id, str(number))
    random, ends = Random(7), {customer.id: 20, bob.id: 17}
    async with AsyncExitStack() as stack:
        devices: list[tuple[Person, Socket]] = []
        for person in (customer, bob):
            for node in (pair.one, pair.other):
                socket = await stack.enter_async_context(node.address.socket(person))
                await socket.follow(session_id)
                devices.append((person, socket))
        for _ in range(30):
            person, socket = random.choice(devices)
            number = random.randint(0, ends[person.id])
            if random.random() < 0.7:
                await socket.say(op="read", session_id=session_id, read_seq=number)
            else:
                await put(person, session_id, number)
        await devices[2][1].say(op="read", session_id=session_id, read_seq=17)
        for _, socket in devices:
            seen: dict[str, int] = {}
            async with asyncio.timeout(PATIENCE):
                while 17 not in seen.values():
                    told = marks(await socket.until("state", session_id=session_id))
                    assert all(told[name] >= number for name, number in seen.items())
                    seen = told
            assert max(seen.values()) == 20


async def test_an_answer_on_one_process_is_read_on_the_other(pair: Pair, silent: bool) -> None:
    customer, bob = await pair.one.workspace.customer(), await pair.one.workspace.agent()
    session_id = await waiting(customer)
    async with pair.other.address.socket(customer) as phone:
        await phone.follow(session_id)
        sent = (await bob.send(session_id, "Hello")).json()["message"]
        await state_until(phone, session_id, lambda state: staff_read(state) == sent["public_seq"])


@pytest.mark.conformance(49)
async def test_typing_expires_without_stop(pair: Pair) -> None:
    customer, bob = await pair.one.workspace.customer(), await pair.one.workspace.agent()
    session_id = await waiting(customer)
    async with AsyncExitStack() as stack:
        phone = await stack.enter_async_context(pair.one.address.socket(customer))
        laptop = await stack.enter_async_context(pair.other.address.socket(customer))
        desk = await stack.enter_async_context(pair.other.address.socket(bob))
        for device in (phone, laptop, desk):
            await device.follow(session_id)
        await phone.say(op="typing", session_id=session_id, is_typing=True)
        begun = await desk.until("ephemeral")
        assert (begun["type"], begun["actor"]["id"]) == ("typing.started", customer.id)
        ended = await desk.until("ephemeral")
        assert (ended["type"], ended["actor"]["id"]) == ("typing.stopped", customer.id)
        await laptop.say(op="ping", t=1)
        await laptop.until("pong")
        assert [frame for frame in laptop.heard if frame["op"] == "ephemeral"] == []


@pytest.mark.conformance("typing_on_a_note_never_reaches_a_customer")
async def test_typing_on_a_note_never_reaches_a_customer(pair: Pair) -> None:
    customer, bob = await pair.one.workspace.customer(), await pair.one.workspace.agent()
    eve = await pair.one.workspace.agent()
    session_id = await waiting(customer)
    async with AsyncExitStack() as stack:
        places = [(pair.one, customer), (pair.other, customer), (pair.one, bob), (pair.other, eve)]
        devices = [
            await stack.enter_async_context(node.address.socket(person)) for node, person in places
        ]
        for device in devices:
            await device.follow(session_id)
        *phones, desk, colleague = devices
        note = {"session_id": session_id, "is_typing": True, "visibility": "internal"}
        await desk.say(op="typing", **note)
        assert (await colleague.until("ephemeral"))["data"] == {"visibility": "internal"}
        late = await stack.enter_async_context(pair.other.address.socket(customer))
        assert (await late.follow(session_id))["state"]["typing"] == []
        await desk.send(session_id, "note", visibility="internal")
        assert (await colleague.until("ephemeral"))["type"] == "typing.stopped"
        await desk.say(op="typing", session_id=session_id, is_typing=True)
        for phone in (*phones, late):
            told = await phone.until("ephemeral")
            assert told["data"] == {"visibility": "public"}
            assert "internal" not in str([told, *phone.heard])


async def test_who_turns_from_an_answer_to_a_note_has_stopped_for_the_customer(
    pair: Pair,
) -> None:
    customer, bob = await pair.one.workspace.customer(), await pair.one.workspace.agent()
    session_id = await waiting(customer)
    async with pair.one.address.socket(bob) as desk, pair.other.address.socket(customer) as phone:
        await phone.follow(session_id)
        await desk.say(op="typing", session_id=session_id, is_typing=True)
        assert (await phone.until("ephemeral"))["type"] == "typing.started"
        await desk.say(op="typing", session_id=session_id, is_typing=True, visibility="internal")
        assert (await phone.until("ephemeral"))["type"] == "typing.stopped"


async def online_at(node: Node) -> set[AgentId]:
    """The agents to whom a process would assign chats."""
    with node.service.database.bound():
        async with reading() as db:
            found = await presence.online(db, [node.workspace.id], now=utc_now())
    return set(found[node.workspace.id])


async def test_an_agent_online_on_one_process_is_seen_by_the_other(
    pair: Pair, silent: bool
) -> None:
    """In the rows by which any process will assign, and in all that is shown of them."""
    customer, bob = await pair.one.workspace.customer(), await pair.one.workspace.agent()
    session_id = await waiting(customer)
    await act(bob, session_id, "claim")
    async with pair.other.address.socket(customer) as phone:
        assert (await phone.follow(session_id))["state"]["presence"] == {"agent_online": False}
        async with pair.one.address.socket(bob), pair.other.address.socket(bob):
            await state_until(phone, session_id, lambda state: state["presence"]["agent_online"])
            assert AgentId(UUID(bob.id)) in await online_at(pair.other)
        await state_until(phone, session_id, lambda state: not state["presence"]["agent_online"])
        assert AgentId(UUID(bob.id)) not in await online_at(pair.other)


async def test_what_an_agent_chooses_on_one_process_is_shown_by_the_other(
    pair: Pair, silent: bool
) -> None:
    customer, bob = await pair.one.workspace.customer(), await pair.one.workspace.agent()
    session_id = await waiting(customer)
    await act(bob, session_id, "claim")
    async with pair.one.address.socket(bob), pair.other.address.socket(bob) as desk:
        state = (await desk.follow(session_id))["state"]
        await bob.call("PATCH", "/v1/agents/me/availability", json={"availability": "busy"})
        while [each["availability"] for each in state["presence"]["agents"]] != ["busy"]:
            state = await desk.until("state", session_id=session_id)


async def test_a_customer_on_one_process_is_seen_from_the_other(pair: Pair) -> None:
    customer, bob = await pair.one.workspace.customer(), await pair.one.workspace.agent()
    session_id = await waiting(customer)

    def online(state: Json) -> bool:
        return bool(state["presence"]["customer_online"])

    async with pair.other.address.socket(bob) as desk:
        assert not online((await desk.follow(session_id))["state"])
        async with pair.one.address.socket(customer):
            await state_until(desk, session_id, online)
            async with pair.other.address.socket(bob) as late:
                assert online((await late.follow(session_id))["state"])
        await state_until(desk, session_id, lambda state: not online(state))


async def test_who_asks_later_is_told_of_a_customer_who_is_there(pair: Pair) -> None:
    customer, bob = await pair.one.workspace.customer(), await pair.one.workspace.agent()
    session_id = await waiting(customer)
    async with pair.one.address.socket(customer), pair.other.address.socket(bob) as desk:
        state = (await desk.follow(session_id))["state"]
        while not state["presence"]["customer_online"]:
            state = await desk.until("state", session_id=session_id)


async def test_a_customer_who_left_one_process_is_still_seen_on_another(pair: Pair) -> None:
    customer, bob = await pair.one.workspace.customer(), await pair.one.workspace.agent()
    session_id = await waiting(customer)
    async with pair.other.address.socket(bob) as desk:
        await desk.follow(session_id)
        async with pair.other.address.socket(customer):
            async with pair.one.address.socket(customer):
                pass
            await put(bob, session_id, 1)
            state = await state_until(
                desk, session_id, lambda state: mark_of(state, bob)["read_seq"] == 1
            )
            assert state["presence"]["customer_online"]


async def test_the_broker_carries_no_mark(pair: Pair) -> None:
    customer, bob = await pair.one.workspace.customer(), await pair.one.workspace.agent()
    session_id = await waiting(customer)
    async with pair.other.address.socket(customer) as phone:
        await phone.follow(session_id)
        await put(bob, session_id, 1)
        await state_until(phone, session_id, lambda state: staff_read(state) == 1)
    said = [orjson.loads(data) for data in pair.exchange.said]
    of_marks = [each["frame"] for each in said if each.get("frame", {}).get("op") == "marks"]
    assert of_marks and all(frame == {"op": "marks"} for frame in of_marks)
