"""Who gets in, and what a connection may say first, later, too often or never: 61 to 64."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from chat_service.schema import utc_now
from chat_service.test.browsers import COOKIE, browse
from chat_service.test.builders import ORIGIN, Json, Person, Workspace, unique
from chat_service.test.fakes import TurningClock
from chat_service.test.realtime.talkers import Address, Socket
from chat_service.test.realtime.tuned import Tuned, tuned
from chat_service.test.rows import revoke
from chat_service.test.sessions.calls import waiting
from chat_service.test.test_tickets import DEVICE, ticket_of

EVIL = "https://evil.example"


@pytest.fixture
async def customer(workspace: Workspace) -> Person:
    """Somebody who may come in."""
    return await workspace.customer()


@pytest.fixture(scope="module")
async def hasty(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Tuned]:
    """A service that waits for no hello."""
    folder = tmp_path_factory.mktemp("hasty")
    async with tuned(database_url, folder, hello_seconds=0.3) as place:
        yield place


async def welcome(socket: Socket, **hello: Any) -> Json | int:
    """What a hello is answered with: the welcome, or the code of the close."""
    await socket.say(op="hello", **hello)
    frame = await socket.next()
    return await socket.closed() if frame["op"] == "goodbye" else frame


@pytest.mark.conformance(61)
@pytest.mark.parametrize("origin", [EVIL, "null", f"{ORIGIN}.evil.example", ORIGIN + ":8443"])
@pytest.mark.asvs("4.4.2")
async def test_bad_origin_is_403_before_upgrade_even_with_ticket(
    address: Address, workspace: Workspace, origin: str
) -> None:
    ticket = await ticket_of(await browse(workspace))
    with pytest.raises(InvalidStatus) as refused:
        async with address.socket(origin=origin) as socket:
            await welcome(socket, ticket=ticket, device_id=DEVICE)
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body or b"")["code"] == "origin_not_allowed"
    own = f"http://{address.place}"
    page = await browse(workspace)
    page.origin = own
    async with httpx2.AsyncClient(base_url=own) as client:
        page.client = client
        ticket = await ticket_of(page)
    async with address.socket(origin=own) as socket:
        told = await welcome(socket, ticket=ticket, device_id=DEVICE)
        assert isinstance(told, dict) and told["op"] == "welcome"


@pytest.mark.conformance(62)
@pytest.mark.asvs("4.4.3")
@pytest.mark.api_top10("API2")
async def test_cookie_alone_never_authenticates_websocket(
    address: Address, workspace: Workspace
) -> None:
    browser = await browse(workspace)
    cookie = {"Cookie": f"{COOKIE}={browser.token}", "Origin": f"http://{address.place}"}
    async with address.socket(headers=cookie) as socket:
        await socket.say(op="subscribe", id=1, stream="sessions")
        assert await socket.closed() == 4500
    async with address.socket(headers=cookie) as socket:
        assert await welcome(socket) == 4500
    async with address.socket(headers=cookie) as socket:
        assert await welcome(socket, token="") in (4500, 4501)


@pytest.mark.conformance(63)
@pytest.mark.asvs("4.4.3", "4.4.4")
async def test_ticket_is_single_use_and_expires_30s(
    address: Address, workspace: Workspace, clock: TurningClock
) -> None:
    agent = await workspace.agent()
    good, late, timely = [await ticket_of(agent) for _ in range(3)]
    for expected in ("welcome", 4501, 4501):
        async with address.socket() as socket:
            told = await welcome(socket, ticket=good, device_id=DEVICE)
            assert (told["op"] if isinstance(told, dict) else told) == expected
    clock.turn(seconds=28)
    async with address.socket() as socket:
        told = await welcome(socket, ticket=timely, device_id=DEVICE)
        assert isinstance(told, dict)
    clock.turn(seconds=3)
    async with address.socket() as socket:
        assert await welcome(socket, ticket=late, device_id=DEVICE) == 4501


@pytest.mark.asvs("4.4.3")
@pytest.mark.api_top10("API2")
async def test_a_ticket_is_worth_nothing_from_another_page_or_device(
    address: Address, workspace: Workspace
) -> None:
    ticket = await ticket_of(await workspace.agent())
    for origin, device in ((ORIGIN, DEVICE), (None, "tab-2"), (None, None)):
        async with address.socket(origin=origin) as socket:
            assert await welcome(socket, ticket=ticket, device_id=device) in (4501, 4503)


@pytest.mark.conformance(64)
async def test_no_hello_closes_4502(hasty: Tuned) -> None:
    async with hasty.address.socket() as silent:
        assert (await silent.until("goodbye"))["reconnect"] is False
        assert await silent.closed() == 4502


async def test_who_says_hello_a_byte_at_a_time_has_not_said_it(hasty: Tuned) -> None:
    """Parts of a message, and pings of the protocol below, are no hello."""
    async with hasty.address.socket() as slow:

        async def parts() -> AsyncIterator[str]:
            while True:
                yield "{"
                await asyncio.sleep(0.05)

        talking = asyncio.create_task(slow.connection.send(parts()))
        assert await slow.closed() == 4502
        talking.cancel()
        await asyncio.wait([talking])


LARGE = json.dumps({"op": "ping", "t": 1, "x": "x" * 70_000})
DEEP = '{"op":"ping","t":' + "[" * 20_000 + "]" * 20_000 + "}"
FRAMES: dict[str, tuple[Any, Any]] = {
    "binary": (b'{"op":"ping","t":1}', 4500),
    "empty": ("", 4500),
    "no json": ("{", 4500),
    "no object": ('["ping"]', 4500),
    "no op": ('{"t":1}', 4500),
    "unknown op": ('{"op":"fly"}', 4500),
    "half a character": ('{"op":"ping","t":"\\ud800"}', 4500),
    "oversize": (LARGE, 1009),
    "deeply nested": (DEEP, (4500, "error")),
    "second hello": ('{"op":"hello","token":"x"}', 4500),
    "number as word": ('{"op":"ping","t":"one"}', "error"),
    "unknown field": ('{"op":"ping","t":1,"x":1}', "error"),
    "huge number": ('{"op":"ping","t":1e400}', "error"),
    "negative id": ('{"op":"unsubscribe","id":-1,"stream":"sessions"}', "error"),
    "no stream": ('{"op":"subscribe","id":1,"stream":"session:*"}', "error"),
    "no cursor": ('{"op":"subscribe","id":1,"stream":"sessions","after":"c1"}', "error"),
    "fragmented": (['{"op":', '"ping",', '"t":1}'], "pong"),
    "many fragments": (["{"] + [" "] * 100, (4500, 1008)),
}


async def answered(socket: Socket) -> str | int:
    """The kind of the next frame, or the code of the close."""
    try:
        kind = str((await socket.next())["op"])
    except ConnectionClosed as end:
        return end.rcvd.code if end.rcvd else 1006
    return await socket.closed() if kind == "goodbye" else kind


@pytest.mark.parametrize("name", FRAMES)
async def test_a_bad_frame_ends_its_own_socket_or_is_refused_and_disturbs_nobody(
    address: Address, workspace: Workspace, name: str
) -> None:
    said, expected = FRAMES[name]
    customer, other = await workspace.customer(), await workspace.agent()
    session_id = await waiting(customer)
    allowed = expected if isinstance(expected, tuple) else (expected,)
    async with address.socket(other) as calm, address.socket(customer) as socket:
        await calm.follow(session_id)
        await socket.connection.send(said)
        answer = await answered(socket)
        assert answer in allowed
        if isinstance(answer, str):
            await socket.say(op="ping", t=2)
            await socket.until("pong", t=2)
        sent = (await customer.send(session_id)).json()["message"]
        await calm.until_seq(session_id, sent["seq"])


@pytest.mark.asvs("7.2.1")
@pytest.mark.api_top10("API2")
async def test_frames_before_the_hello_and_a_token_of_nobody_end_the_socket(
    address: Address, workspace: Workspace, customer: Person
) -> None:
    session_id = await waiting(customer)
    content = {"type": "text", "text": "before the hello"}
    early: list[Json] = [
        {"op": "subscribe", "id": 1, "stream": f"session:{session_id}"},
        {"op": "send", "id": 1, "session_id": session_id, "content": content},
        {"op": "read", "session_id": session_id, "read_seq": 1},
        {"op": "typing", "session_id": session_id, "is_typing": True},
        {"op": "auth", "id": 1, "token": customer.token},
        {"op": "pong", "t": 1},
        {"op": "hello", "token": customer.token, "ticket": unique()},
    ]
    for frame in early:
        async with address.socket() as socket:
            await socket.say(**frame)
            await socket.say(op="hello", token=customer.token)
            assert await socket.closed() == 4500, frame
    assert len(await customer.messages(session_id)) == 1
    key = await workspace.key()
    await revoke(workspace, key, revoked_at=utc_now() - timedelta(seconds=1))
    for token in (key.token, customer.token + "x", "at_x_y_z", customer.details["refresh_token"]):
        async with address.socket() as socket:
            assert await welcome(socket, token=token) == 4501, token
