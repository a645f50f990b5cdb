"""A session followed live: the promises 12, 13, 18, 19, 21, 36 and 38."""

import asyncio
import json
from collections import Counter
from random import Random
from typing import Any

import pytest

from chat_service.schema import Role
from chat_service.test.backends import count, touches_the_broker
from chat_service.test.builders import Person, Workspace, message, unique
from chat_service.test.conformance.roaming import Roamer
from chat_service.test.realtime.talkers import Address, Socket

WRITERS = 2


@pytest.fixture
async def customer(workspace: Workspace) -> Person:
    """Whose session it is."""
    return await workspace.customer()


@pytest.fixture
async def session_id(customer: Person) -> str:
    """A session with one message."""
    return str((await customer.start("1"))["session"]["id"])


@pytest.mark.conformance(18)
async def test_subscribe_then_send_delivers_once_in_order(
    address: Address, customer: Person, session_id: str
) -> None:
    async with address.socket(customer) as socket:
        await socket.follow(session_id)
        for number in range(2, 12):
            assert (await customer.send(session_id, str(number))).status_code == 201
        events = await socket.until_seq(session_id, 11)
    texts = [event["data"]["message"]["content"]["text"] for event in events]
    assert texts == [str(number) for number in range(2, 12)]


@pytest.mark.conformance(12)
async def test_websocket_send_and_rest_post_are_equal(
    address: Address, customer: Person, session_id: str
) -> None:
    key = unique()
    async with address.socket(customer) as socket:
        over_socket = await socket.send(session_id, "Twice", client_message_id=key)
        body = message("Twice", client_message_id=key)
        over_rest = await customer.post(f"/v1/sessions/{session_id}/messages", body)
        assert over_rest.headers["Idempotent-Replayed"] == "true"
        assert over_socket["result"] == over_rest.json()
        other = await socket.send(session_id, "Other words", client_message_id=key)
        assert other["problem"]["code"] == "client_message_id_reused"


@pytest.mark.conformance(13)
async def test_pipelined_sends_on_one_socket_keep_order(
    address: Address, customer: Person, session_id: str
) -> None:
    async with address.socket(customer) as socket:
        for number in range(40):
            content = {"type": "text", "text": str(number)}
            await socket.say(
                op="send",
                id=number,
                session_id=session_id,
                client_message_id=unique(),
                content=content,
            )
        acks = [await socket.until("ack", id=number) for number in range(40)]
    assert [ack["result"]["message"]["seq"] for ack in acks] == list(range(2, 42))


@pytest.mark.conformance(36)
async def test_sse_last_event_id_equals_websocket_after(
    address: Address, customer: Person, session_id: str
) -> None:
    for text in ("2", "3"):
        await customer.send(session_id, text)
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


@pytest.mark.conformance(38)
async def test_long_poll_page_walk_equals_websocket_log(
    address: Address, customer: Person, session_id: str
) -> None:
    for text in ("2", "3"):
        await customer.send(session_id, text)
    async with address.socket(customer) as socket:
        await socket.follow(session_id, after="c1.p.0")
        log = await socket.until_seq(session_id, 3)
    walked, cursor = [], "c1.p.0"
    while page := await customer.events(session_id, after=cursor, limit=1, wait=0.1):
        walked += page
        cursor = page[-1]["cursor"]
    assert walked == log


async def begin(socket: Socket, person: Person, session_id: str, way: str) -> int:
    """Follow a session, live, in one of the ways there are; the number it begins behind."""
    given: dict[str, Any] = {}
    if way == "cursor":
        page = await person.get(f"/v1/sessions/{session_id}/messages", params={"limit": 1})
        given["after"] = page.json()["as_of"]["cursor"]
    if way == "snapshot":
        given["snapshot"] = {"messages": 5}
    answer = await socket.follow(session_id, **given)
    if way == "cursor":
        return int(given["after"].split(".")[2])
    if way == "snapshot":
        assert (await socket.until("snapshot"))["as_of_seq"] == answer["head_seq"]
    return int(answer["head_seq"])


@pytest.mark.conformance(19)
@pytest.mark.timeout(count(60, many=600))
async def test_subscribe_race_no_gap_no_duplicate(
    address: Address, workspace: Workspace, customer: Person, session_id: str
) -> None:
    boss, random, over = await workspace.agent(Role.ADMIN), Random(19), asyncio.Event()
    places = {customer.id: asyncio.Semaphore(4), boss.id: asyncio.Semaphore(8)}

    async def write() -> None:
        while not over.is_set():
            assert (await customer.send(session_id)).status_code == 201

    async def subscribe(person: Person, way: str) -> None:
        async with places[person.id], address.socket(person) as socket:
            await asyncio.sleep(random.uniform(0, 0.02))
            begun = await begin(socket, person, session_id, way)
            upto = socket.seqs[f"session:{session_id}"] + 5
            events = await socket.until_seq(session_id, upto)
            numbers = [event["seq"] for event in events]
            assert numbers == list(range(begun + 1, begun + 1 + len(numbers)))

    async with asyncio.TaskGroup() as writers:
        for _ in range(WRITERS):
            writers.create_task(write())
        async with asyncio.TaskGroup() as group:
            for number in range(count(100, many=1_000)):
                way = ("head", "snapshot", "cursor")[number % 3]
                group.create_task(subscribe((customer, boss)[number % 2], way))
        over.set()


@pytest.mark.conformance(21)
@touches_the_broker
async def test_resume_on_other_node_is_contiguous(
    home: Address, address: Address, customer: Person, session_id: str
) -> None:
    random, over, last = Random(21), asyncio.Event(), 1
    roamer = Roamer(customer, session_id)

    async def write() -> None:
        nonlocal last
        while not over.is_set():
            last = (await customer.send(session_id)).json()["message"]["seq"]
            await asyncio.sleep(random.uniform(0, 0.02))

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        for number in range(count(12, many=200)):
            await roamer.read_on((home, address)[number % 2], upto=last + random.randint(0, 9))
        over.set()
    await roamer.read_on(address, upto=last)
    times = Counter(event["id"] for event in roamer.applied)
    assert [event["seq"] for event in roamer.applied] == list(range(1, last + 1))
    assert set(times.values()) == {1}
