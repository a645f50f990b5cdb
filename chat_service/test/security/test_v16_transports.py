"""Who may do what over sockets and streams: each frame is answered as the request it stands for.

The table is the same (`matrix.toml`), so that no transport can have rules of its own.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Final, get_args

import pytest
from websockets.exceptions import ConnectionClosed

from chat_service.app import Service
from chat_service.realtime.frames import ClientFrame
from chat_service.test.builders import build_workspace, message
from chat_service.test.events.apart import client_of
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.talkers import Address, Socket
from chat_service.test.security.test_matrix import CELLS, NO_TARGET, Cell
from chat_service.test.security.world import PEOPLE, Target, World, build_world

SIGN_IN_AGAIN: Final = 4501
EVENTS: Final = "GET /v1/sessions/{session_id}/events"
Frame = Callable[[Socket, Target], Awaitable[int]]


@pytest.fixture(scope="module")
async def address(service: Service) -> AsyncIterator[Address]:
    """Where the service listens."""
    async with served(service) as address:
        yield address


@pytest.fixture(scope="module")
async def world(service: Service) -> AsyncIterator[World]:
    """Its people, and sessions that are only looked at, or written into."""
    async with client_of(service) as client:
        yield await build_world(await build_workspace(service, client), service)


async def answered(socket: Socket, op: str, **fields: Any) -> int:
    """The status a frame with an answer is refused with; 200 where it is not refused."""
    answer = await socket.ask(op, **fields)
    return int(answer["problem"]["status"]) if answer["op"] == "error" else 200


async def taken(socket: Socket, op: str, **fields: Any) -> int:
    """The same of a frame that is answered only where it is refused."""
    await socket.say(op=op, **fields)
    await socket.say(op="ping", t=1)
    frame = await socket.until("error", "pong")
    if frame["op"] == "pong":
        return 200
    await socket.until("pong")
    return int(frame["problem"]["status"])


async def follow(socket: Socket, target: Target) -> int:
    """Follow a session, and then no more."""
    stream = f"session:{target.session_id}"
    status = await answered(socket, "subscribe", stream=stream)
    await socket.ask("unsubscribe", stream=stream)
    return status


FRAMES: Final[dict[str, tuple[str, Frame]]] = {
    "subscribe session": (EVENTS, follow),
    "send": (
        "POST /v1/sessions/{session_id}/messages",
        lambda socket, at: answered(socket, "send", session_id=at.session_id, **message()),
    ),
    "read": (
        "PUT /v1/sessions/{session_id}/read-state",
        lambda socket, at: taken(socket, "read", session_id=at.session_id, read_seq=1),
    ),
    "typing": (
        "POST /v1/sessions/{session_id}/typing",
        lambda socket, at: taken(socket, "typing", session_id=at.session_id, is_typing=True),
    ),
    "subscribe sessions": (
        "GET /v1/sessions/changes",
        lambda socket, _: answered(socket, "subscribe", stream="sessions"),
    ),
}
"""Each frame about a session, and the request whose rules are its own."""


async def at_target(world: World, cell: Cell, say: Callable[[Target], Awaitable[int]]) -> int:
    """The status of a frame; what succeeds may change its target, and gets one of its own."""
    if cell.target == NO_TARGET or cell.refused:
        return await say(world.targets["own" if cell.target == NO_TARGET else cell.target])
    target = await world.target(cell.target)
    status = await say(target)
    await world.end(cell.target, target.session_id)
    return status


def deviates(cell: Cell, status: int) -> bool:
    """Whether a frame came to something else than its request."""
    return status != (cell.status if cell.refused else 200)


@pytest.mark.parametrize("caller", PEOPLE)
async def test_each_frame_is_answered_as_its_request(
    world: World, address: Address, caller: str
) -> None:
    token = world.people[caller].token
    rows = {name: _cells(row, caller) for name, (row, _) in FRAMES.items()}
    assert all(rows.values())
    if all(cell.status == 401 for cells in rows.values() for cell in cells):
        async with address.socket() as socket:
            await socket.say(op="hello", token=token)
            assert await socket.closed() == SIGN_IN_AGAIN
        return
    found = {}
    async with address.socket(token) as socket:
        for name, cells in rows.items():
            for cell in cells:
                status = await at_target(world, cell, partial(FRAMES[name][1], socket))
                if deviates(cell, status):
                    found[name, cell.target] = status, cell.status
    assert found == {}


@pytest.mark.parametrize("door", ["server-sent events", "long-poll"])
async def test_each_stream_is_answered_as_its_request(
    world: World, address: Address, door: str
) -> None:
    found = {}
    for cell in CELLS[EVENTS]:
        who, session_id = world.people[cell.caller], world.targets[cell.target].session_id
        if door == "long-poll":
            end = {"after_seq": 10_000} if cell.refused else {}
            path = f"/v1/sessions/{session_id}/events"
            headers = {"Authorization": f"Bearer {who.token}"} if who.token else {}
            params: dict[str, Any] = {"wait": 0.01, **end}
            answer = await world.here.client.get(path, headers=headers, params=params)
            status = answer.status_code
        else:
            async with address.stream(who, session_id) as source:
                status = source.response.status_code
        if status != cell.status:
            found[cell] = status
    assert found == {}


async def test_a_hello_by_a_cookie_or_an_address_admits_nobody(
    world: World, address: Address
) -> None:
    token = world.people["owner"].token
    for cookie in ("__Host-chat", "chat"):
        async with address.socket(headers={"Cookie": f"{cookie}={token}"}) as socket:
            await socket.say(op="hello")
            with pytest.raises(ConnectionClosed):
                await socket.until("welcome")


def test_every_frame_of_a_session_is_in_the_table() -> None:
    about_none = {"hello", "unsubscribe", "auth", "ping", "pong"}
    kinds = get_args(get_args(ClientFrame)[0])
    ops = {get_args(kind.model_fields["op"].annotation)[0] for kind in kinds}
    assert {name.partition(" ")[0] for name in FRAMES} | about_none == ops


def _cells(address: str, caller: str) -> list[Cell]:
    return [cell for cell in CELLS[address] if cell.caller == caller]
