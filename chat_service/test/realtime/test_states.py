"""What is told of a session beside its log, over sockets: to each side its own, newest and whole."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chat_service.schema import Role
from chat_service.test.builders import Json, Person, Workspace, message, unique
from chat_service.test.realtime.talkers import PATIENCE, Address, Socket
from chat_service.test.realtime.tuned import tuned
from chat_service.test.sessions.calls import act, waiting


async def state_until(socket: Socket, session_id: str, wanted: Any) -> Json:
    """The state of a session, as soon as it is as wanted."""
    async with asyncio.timeout(PATIENCE):
        while True:
            state = await socket.until("state", session_id=session_id)
            if wanted(state):
                return state


def staff_read(state: Json) -> int:
    """How far the customer sees staff have read."""
    number: int = state["read_states"]["staff"]["read_seq"]
    return number


def mark_of(state: Json, person: Person) -> Json:
    """How far staff see somebody has read."""
    found = [each for each in state["read_states"] if each["participant"]["id"] == person.id]
    return dict(found[0]) if found else {"read_seq": 0, "unread_count": 0}


async def test_a_subscription_begins_with_the_state_of_its_side(
    address: Address, workspace: Workspace
) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    await act(bob, session_id, "claim")
    async with address.socket(customer) as phone, address.socket(bob) as desk:
        state = (await phone.follow(session_id))["state"]
        assert state["read_states"]["me"] == {
            "read_seq": 1,
            "delivered_seq": 1,
            "unread_count": 0,
        }
        assert (set(state["presence"]), state["typing"]) == ({"agent_online"}, [])
        state = (await desk.follow(session_id))["state"]
        assert mark_of(state, customer)["read_seq"] == 1
        assert state["presence"]["customer_online"] is True
        assert [each["id"] for each in state["presence"]["agents"]] == [bob.id]


async def test_reading_on_one_device_is_told_to_all(address: Address, workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    await bob.send(session_id, "Hello")
    async with address.socket(customer) as phone, address.socket(customer) as laptop:
        async with address.socket(bob) as desk:
            for device in (phone, laptop, desk):
                await device.follow(session_id)
            await phone.say(op="read", session_id=session_id, read_seq=4)
            for device in (phone, laptop):
                await state_until(
                    device, session_id, lambda state: state["read_states"]["me"]["read_seq"] == 4
                )
            seen = await state_until(
                desk, session_id, lambda state: mark_of(state, customer)["read_seq"] == 4
            )
            assert mark_of(seen, customer)["unread_count"] == 0


async def test_the_last_of_many_marks_is_kept(address: Address, workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    for number in range(9):
        await customer.send(session_id, str(number))
    async with address.socket(bob) as desk, address.socket(customer) as phone:
        await phone.follow(session_id)
        for number in (1, 2, 5, 3, 10, 4, 6):
            await desk.say(op="read", session_id=session_id, read_seq=number)
        await state_until(phone, session_id, lambda state: staff_read(state) == 10)
    shown = (await bob.get(f"/v1/sessions/{session_id}")).json()["session"]["read_states"]
    assert mark_of({"read_states": shown}, bob)["read_seq"] == 10


async def test_an_answer_is_told_as_read(address: Address, workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    async with address.socket(customer) as phone:
        await phone.follow(session_id)
        sent = (await bob.send(session_id, "Hello")).json()["message"]
        told = await state_until(phone, session_id, lambda state: staff_read(state) > 0)
        assert staff_read(told) == sent["public_seq"]
        assert told["read_states"]["me"]["unread_count"] == 1


async def test_what_is_refused_is_told_and_changes_nothing(
    address: Address, workspace: Workspace
) -> None:
    bob, eve = await workspace.agent(), await workspace.customer()
    key, customer = await workspace.key(), await workspace.customer()
    session_id = await waiting(customer)
    refused = {
        "read_seq_ahead": (bob, {"op": "read", "read_seq": 99}),
        "not_found": (eve, {"op": "read", "read_seq": 1}),
        "forbidden": (key, {"op": "read", "read_seq": 1}),
    }
    for code, (person, frame) in refused.items():
        async with address.socket(person) as socket:
            await socket.say(session_id=session_id, **frame)
            assert (await socket.until("error"))["problem"]["code"] == code
    for person, fields, code in (
        (customer, {"visibility": "internal"}, "forbidden"),
        (await workspace.agent(Role.VIEWER), {}, "forbidden"),
        (eve, {}, "not_found"),
    ):
        async with address.socket(person) as socket:
            await socket.say(op="typing", session_id=session_id, is_typing=True, **fields)
            assert (await socket.until("error"))["problem"]["code"] == code


async def test_typing_is_told_to_others_and_not_to_own_devices(
    address: Address, workspace: Workspace
) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    async with address.socket(customer) as phone, address.socket(customer) as laptop:
        async with address.socket(bob) as desk:
            for device in (phone, laptop, desk):
                await device.follow(session_id)
            await phone.say(op="typing", session_id=session_id, is_typing=True)
            told = await desk.until("ephemeral")
            assert (told["type"], told["actor"]["id"]) == ("typing.started", customer.id)
            async with address.socket(bob) as late:
                state = (await late.follow(session_id))["state"]
                assert [each["actor"]["id"] for each in state["typing"]] == [customer.id]
            await phone.send(session_id, "There")
            assert (await desk.until("ephemeral"))["type"] == "typing.stopped"
            await laptop.until_seq(session_id, 2)
            assert [frame for frame in laptop.heard if frame["op"] == "ephemeral"] == []


async def test_typing_by_post_is_told_as_well(address: Address, workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    async with address.socket(customer) as phone:
        await phone.follow(session_id)
        path = f"/v1/sessions/{session_id}/typing"
        for is_typing, kind in ((True, "typing.started"), (False, "typing.stopped")):
            answer = await bob.post(path, {"is_typing": is_typing})
            assert (answer.status_code, answer.content) == (202, b"")
            assert (await phone.until("ephemeral"))["type"] == kind


@pytest.mark.conformance(51)
async def test_own_message_matches_by_client_message_id_on_second_tab(
    address: Address, workspace: Workspace
) -> None:
    customer = await workspace.customer()
    session_id = await waiting(customer)
    async with address.socket(customer) as one, address.socket(customer) as other:
        await other.follow(session_id)
        mine = unique()
        await one.ask("send", session_id=session_id, **message("Hello", client_message_id=mine))
        (event,) = await other.until_seq(session_id, 2)
        assert event["data"]["message"]["client_message_id"] == mine


@pytest.mark.conformance(45)
async def test_typing_flood_does_not_delay_messages(address: Address, workspace: Workspace) -> None:
    bob, key, customer = await workspace.agent(), await workspace.key(), await workspace.customer()
    session_id = await waiting(customer)
    async with address.socket(customer) as phone, address.socket(bob) as desk:
        await phone.follow(session_id)
        for number in range(50):
            await desk.say(op="typing", session_id=session_id, is_typing=number % 2 == 0)
        for number in range(5):
            await key.send(session_id, str(number))
        events = await phone.until_seq(session_id, 7)
        assert [event["seq"] for event in events] == [2, 3, 4, 5, 6, 7]
        for device in (desk, phone):
            await device.say(op="ping", t=1)
            assert (await device.until("pong"))["t"] == 1


async def test_an_agents_choice_is_told_to_colleagues_and_customers(
    address: Address, workspace: Workspace
) -> None:
    bob, eve, customer = (
        await workspace.agent(),
        await workspace.agent(),
        await workspace.customer(),
    )
    session_id = await waiting(customer)
    await act(bob, session_id, "claim")
    async with address.socket(customer) as phone, address.socket(eve) as colleague:
        await phone.follow(session_id)
        async with address.socket(bob):
            await state_until(phone, session_id, lambda state: state["presence"]["agent_online"])
            path = "/v1/agents/me/availability"
            await bob.call("PATCH", path, json={"availability": "offline"})
            await state_until(
                phone, session_id, lambda state: not state["presence"]["agent_online"]
            )
            await bob.call("PATCH", path, json={"availability": "away", "accepting_chats": False})
            async with asyncio.timeout(PATIENCE):
                while True:
                    told = (await colleague.until("state", session_id=None))["availability"]
                    if told["agent"]["id"] == bob.id and told["availability"] == "away":
                        break
            assert told["accepting_chats"] is False
            await state_until(phone, session_id, lambda state: state["presence"]["agent_online"])


async def blocks(source: Any) -> AsyncIterator[Json]:
    """The events of a stream as they are written: their fields, by name."""
    waiting = ""
    async for text in source.response.aiter_text():
        *whole, waiting = (waiting + text).split("\n\n")
        for block in whole:
            yield dict(line.split(": ", 1) for line in block.split("\n"))


@pytest.mark.conformance(37)
async def test_sse_id_absent_on_typing_and_heartbeat(database_url: str, tmp_path: Path) -> None:
    async with tuned(database_url, tmp_path, heartbeat_seconds=0.2) as place:
        bob, customer = await place.workspace.agent(), await place.workspace.customer()
        path = f"/v1/sessions/{(session_id := await waiting(customer))}"
        told: dict[str, list[Json]] = {}
        async with place.address.stream(customer, session_id, after_seq=0) as source:
            async with asyncio.timeout(PATIENCE):
                async for block in blocks(source):
                    told.setdefault(block["event"], []).append(block)
                    if block["event"] == "heartbeat" and "ephemeral" not in told:
                        await bob.call("PUT", f"{path}/read-state", json={"read_seq": 1})
                        await bob.post(f"{path}/typing", {"is_typing": True})
                    if "ephemeral" in told and len(told["state"]) > 1:
                        break
    begun = json.loads(told["state"][0]["data"])
    assert (begun["op"], begun["head_seq"], begun["state"]["typing"]) == ("subscribed", 1, [])
    assert staff_read(json.loads(told["state"][-1]["data"])) <= 1
    assert all("id" in block for block in told["message.created"])
    silent = [told[kind] for kind in ("state", "ephemeral", "heartbeat")]
    assert not any("id" in block for blocks in silent for block in blocks)
    beats = [json.loads(beat["data"]) for beat in told["heartbeat"]]
    assert all(set(beat) == {"t"} and type(beat["t"]) is int for beat in beats)
