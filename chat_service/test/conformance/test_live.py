"""A session followed live: the promises 12, 13, 18, 36 and 38."""

import json

import pytest

from chat_service.test.builders import Person, Workspace, message, unique
from chat_service.test.realtime.talkers import Address


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
