"""Who may do what over sockets and streams: each frame is answered as the request it stands for.

The table is the same (`matrix.toml`), so that no transport can have rules of its own.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Final, get_args

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed

from chat_service.app import Service
from chat_service.realtime.frames import ClientFrame
from chat_service.test.addresses import addresses, said_of
from chat_service.test.builders import message
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.talkers import Address, Socket
from chat_service.test.security.people import PEOPLE
from chat_service.test.security.table import CELLS, Cell
from chat_service.test.security.world import SPENT_BY, Target, World

SIGN_IN_AGAIN: Final = 4501
EVENTS: Final = "GET /v1/sessions/{session_id}/events"
CHANGES: Final = "GET /v1/sessions/changes"
STREAMS: Final = (EVENTS, CHANGES)
"""What goes on for whoever asks for it: as a stream, or as an answer that comes late."""
PROBE: Final = "GET /v1/realtime"
"""Gives three events to anybody, and nothing of anybody's."""
EVENT_STREAM: Final = "text/event-stream"
Frame = Callable[[Socket, Target], Awaitable[int]]


@pytest.fixture(scope="module")
async def address(service: Service) -> AsyncIterator[Address]:
    """Where the service listens."""
    async with served(service) as address:
        yield address


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
        CHANGES,
        lambda socket, _: answered(socket, "subscribe", stream="sessions"),
    ),
}
"""Each frame about a session, and the request whose rules are its own."""


async def at_target(
    world: World, address: str, cell: Cell, say: Callable[[Target], Awaitable[int]]
) -> int:
    """The status of a frame; a session is replaced by which it was spent."""
    status = await say(world.target_of(cell.target))
    if not cell.refused and cell.target in SPENT_BY.get(address, ()):
        await world.renew(cell.target)
    return status


def deviates(cell: Cell, status: int) -> bool:
    """Whether a frame came to something else than its request."""
    return status != (cell.status if cell.refused else 200)


@pytest.mark.parametrize("caller", PEOPLE)
@pytest.mark.asvs("8.2.1", "8.2.2")
async def test_each_frame_is_answered_as_its_request(
    world: World, address: Address, caller: str
) -> None:
    token, world.rows = world.people[caller].token, None
    rows = {name: _cells(row, caller) for name, (row, _) in FRAMES.items()}
    if all(cell.status == 401 for cells in rows.values() for cell in cells):
        async with address.socket() as socket:
            await socket.say(op="hello", token=token)
            assert await socket.closed() == SIGN_IN_AGAIN
        return
    found = {}
    async with address.socket(token) as socket:
        for name, cells in rows.items():
            for cell in cells:
                row, say = FRAMES[name]
                status = await at_target(world, row, cell, partial(say, socket))
                if deviates(cell, status):
                    found[name, cell.target] = status, cell.status
    assert found == {}


@pytest.mark.parametrize("door", ["server-sent events", "long-poll"])
@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.asvs("8.2.1", "8.2.2")
async def test_each_stream_is_answered_as_its_request(
    world: World, address: Address, stream: str, door: str
) -> None:
    found = {}
    async with httpx2.AsyncClient(base_url=f"http://{address.place}") as http:
        for cell in CELLS[stream]:
            path = stream.removeprefix("GET ").format(**vars(world.target_of(cell.target)))
            status = await opened(http, path, world.people[cell.caller].token, door)
            if status != cell.status:
                found[cell] = status
    assert found == {}


async def opened(http: httpx2.AsyncClient, path: str, token: str, door: str) -> int:
    """The status of a stream, which is left as soon as it begins, or of an answer that is waited for."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if door == "long-poll":
        answer = await http.get(path, headers=headers, params={"wait": 0.01})
        return answer.status_code
    headers["Accept"] = EVENT_STREAM
    async with http.stream("GET", path, headers=headers) as response:
        kind = response.headers["Content-Type"].partition(";")[0]
        assert (kind == EVENT_STREAM) == (response.status_code == 200)
        return response.status_code


async def test_a_hello_by_a_cookie_or_an_address_admits_nobody(
    world: World, address: Address
) -> None:
    token = world.people["owner"].token
    for cookie in ("__Host-chat", "chat"):
        async with address.socket(headers={"Cookie": f"{cookie}={token}"}) as socket:
            await socket.say(op="hello")
            with pytest.raises(ConnectionClosed):
                await socket.until("welcome")


def test_every_frame_about_a_session_is_in_the_table() -> None:
    about_none = {"hello", "unsubscribe", "auth", "ping", "pong"}
    kinds = get_args(get_args(ClientFrame)[0])
    ops = {get_args(kind.model_fields["op"].annotation)[0] for kind in kinds}
    assert {name.partition(" ")[0] for name in FRAMES} | about_none == ops


def test_every_live_stream_is_in_the_table() -> None:
    live = {address for address in addresses() if said_of(address).streams}
    assert live == {*STREAMS, PROBE}
    assert {cell.status for cell in CELLS[PROBE]} == {426}, "it is the same for everybody"


def test_as_many_frames_and_streams_are_tried_as_is_claimed() -> None:
    frames = sum(len(CELLS[row]) for row, _ in FRAMES.values())
    streams = sum(len(CELLS[row]) for row in STREAMS)
    print(f"{len(PEOPLE)} callers, {frames} cells of frames, 2 × {streams} cells of streams")
    assert frames > 700
    assert streams > 200


def _cells(address: str, caller: str) -> list[Cell]:
    return [cell for cell in CELLS[address] if cell.caller == caller]
