"""A session followed over WebSocket: begin, go on, send, and what ends a socket."""

import asyncio
import json

import pytest

from chat_service.schema import Role
from chat_service.test.builders import Person, Workspace
from chat_service.test.fakes import TurningClock
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.talkers import Address
from chat_service.test.sessions.calls import act
from chat_service.test.test_auth import another_process, at, status


@pytest.fixture
async def customer(workspace: Workspace) -> Person:
    """Whose session it is."""
    return await workspace.customer()


@pytest.fixture
async def session_id(customer: Person) -> str:
    """A session with one message."""
    return str((await customer.start("1"))["session"]["id"])


async def test_a_cursor_is_gone_on_from(
    address: Address, customer: Person, session_id: str
) -> None:
    cursor = (await customer.events(session_id))[-1]["cursor"]
    for number in range(2, 6):
        await customer.send(session_id, str(number))
    async with address.socket(customer) as socket:
        answer = await socket.follow(session_id, after=cursor)
        assert (answer["resumed"], answer["head_seq"]) == (True, 5)
        assert [event["seq"] for event in await socket.until_seq(session_id, 5)] == [2, 3, 4, 5]


async def test_snapshot_and_what_follows_have_no_gap(
    address: Address, customer: Person, session_id: str
) -> None:
    async def write() -> None:
        for number in range(30):
            await customer.send(session_id, str(number))

    writing = asyncio.create_task(write())
    async with address.socket(customer) as socket:
        answer = await socket.ask(
            "subscribe", stream=f"session:{session_id}", snapshot={"messages": 200}
        )
        snapshot = await socket.until("snapshot")
        assert snapshot["as_of_seq"] == answer["head_seq"]
        await writing
        events = await socket.until_seq(session_id, 31)
    numbers = [said["seq"] for said in snapshot["messages"]] + [event["seq"] for event in events]
    assert numbers == list(range(1, 32))


async def test_a_customer_hears_no_note(
    address: Address, workspace: Workspace, customer: Person, session_id: str
) -> None:
    bob = await workspace.agent()
    async with address.socket(customer) as socket:
        await socket.follow(session_id)
        await act(bob, session_id, "claim")
        await bob.send(session_id, "secret note", visibility="internal")
        await bob.send(session_id, "Hello Ada")
        events = await socket.until_seq(session_id, 4)
    assert "secret note" not in json.dumps(events)
    assert [event["seq"] for event in events] == [2, 3, 4]


async def test_staff_and_customer_follow_the_same_log_in_their_own_numbers(
    address: Address, workspace: Workspace, customer: Person, session_id: str
) -> None:
    admin = await workspace.agent(Role.ADMIN)
    async with address.socket(customer) as left, address.socket(admin) as right:
        await left.follow(session_id)
        await right.follow(session_id)
        await admin.send(session_id, "note", visibility="internal")
        await customer.send(session_id, "2")
        seen = await left.until_seq(session_id, 2)
        all_of_it = await right.until_seq(session_id, 3)
    assert [event["id"] for event in seen] == [all_of_it[-1]["id"]]
    assert "public_seq" not in seen[0]


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ('{"op":"ping","t":1}', 4500),
        ("no json", 4500),
        ('{"op":"hello"}', 4500),
        ('{"op":"hello","token":"sk_x"}', 4501),
        ('{"op":"hello","token":"' + "x" * 5_000 + '"}', 4500),
        (b"\x00", 4500),
        ("", 4500),
    ],
    ids=["ping", "no json", "nobody", "stranger", "large", "binary", "empty"],
)
async def test_a_socket_that_begins_wrong_is_closed(
    address: Address, first: str | bytes, code: int
) -> None:
    async with address.socket() as socket:
        await socket.connection.send(first)
        assert await socket.closed() == code


async def test_a_foreign_session_is_404_and_a_foreign_cursor_400(
    address: Address, workspace: Workspace, customer: Person, session_id: str
) -> None:
    stranger = await workspace.customer()
    async with address.socket(stranger) as socket:
        answer = await socket.follow(session_id)
        assert answer["problem"]["code"] == "not_found"
    async with address.socket(customer) as socket:
        answer = await socket.follow(session_id, after="c1.s.1.00000000")
        assert answer["problem"]["code"] == "cursor_invalid"


@pytest.mark.parametrize(
    ("cursor", "reason"),
    [("c1.p.99.00000000", "cursor_ahead"), ("c1.p.1.00000000", "cursor_mismatch")],
)
async def test_a_cursor_of_another_log_gives_reset_with_snapshot(
    address: Address, customer: Person, session_id: str, cursor: str, reason: str
) -> None:
    async with address.socket(customer) as socket:
        answer = await socket.follow(session_id, after=cursor)
        assert answer["resumed"] is False
        assert (await socket.until("reset"))["reason"] == reason
        assert (await socket.until("snapshot"))["as_of_seq"] == 1
        await customer.send(session_id, "2")
        assert [each["seq"] for each in await socket.until_seq(session_id, 2)] == [2]


async def test_signing_out_closes_the_sockets_of_the_token(
    address: Address, customer: Person
) -> None:
    async with address.socket(customer) as socket:
        await customer.post("/v1/auth/sign-out")
        assert await socket.closed() == 4506


async def test_a_flood_of_frames_is_closed(address: Address, customer: Person) -> None:
    async with address.socket(customer) as socket:
        for number in range(200):
            await socket.say(op="ping", t=number)
        assert await socket.closed() == 4013


async def test_the_oldest_of_too_many_sockets_of_one_customer_is_closed(
    address: Address, customer: Person
) -> None:
    async with address.socket(customer) as oldest:
        opened = [address.socket(customer) for _ in range(5)]
        others = [await each.__aenter__() for each in opened]
        assert await oldest.closed() == 4504
        for each, other in zip(opened, others, strict=True):
            await other.say(op="ping", t=1)
            assert (await other.until("pong"))["t"] == 1
            await each.__aexit__(None, None, None)


async def test_a_hello_goes_by_nothing_remembered_of_its_token(
    workspace: Workspace, turning_clock: TurningClock
) -> None:
    people = [await workspace.customer(), await workspace.agent()]
    apart = another_process(workspace.service, turning_clock, recheck_seconds=60)
    async with apart as (other, there), served(other) as address:
        for person in people:
            assert await status(at(there, person)) == 200
            await person.post("/v1/auth/sign-out")
            assert await status(at(there, person)) == 200, "not remembered"
            async with address.socket() as socket:
                await socket.say(op="hello", token=person.token)
                assert await socket.closed() == 4501
