"""How a socket ends: who is told what, and that no peer can keep it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from chat_service.server.websockets import PARSED_BYTES, WebSocketProtocol
from chat_service.test.server.apps import port_of, serving, until
from chat_service.test.server.peers import CLOSE, PING, PONG, TEXT, connected, frame, opened
from chat_service.test.server.sockets import accept

CLOSED = (4008).to_bytes(2) + b"slow"


class App:
    """Accepts, does one thing, then listens until it hears of the end."""

    def __init__(self, act: Callable[[Any], Awaitable[None]] | None = None) -> None:
        self.act = act
        self.heard: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        try:
            if self.act:
                await self.act(send)
            while (message := await receive())["type"] == "websocket.receive":
                self.heard.append(message["text"])
            self.heard.append(message["code"])
        except OSError as error:
            self.heard.append(type(error).__name__)


async def close(send: Any) -> None:
    """Say goodbye."""
    await send({"type": "websocket.close", "code": 4008, "reason": "slow"})


async def send_much(send: Any) -> None:
    """Send more than the kernel takes from us for a peer that does not read."""
    await send({"type": "websocket.send", "text": "x" * 20_000_000})


def socket_of(server: uvicorn.Server) -> WebSocketProtocol:
    """The only socket of a server."""
    (socket,) = server.server_state.connections
    assert isinstance(socket, WebSocketProtocol)
    return socket


async def all_gone(server: uvicorn.Server) -> None:
    """Wait until nothing is left of the socket."""
    await until(lambda: not server.server_state.connections)
    await until(lambda: not server.server_state.tasks)


async def test_a_peer_that_closes_is_answered_and_the_application_hears_its_code() -> None:
    app = App()
    async with serving(app) as server, opened(port_of(server), "") as peer:
        await peer.send(frame(TEXT, b"hi") + frame(CLOSE, (4321).to_bytes(2) + b"bye"))
        assert await peer.code() == 4321
        assert await peer.rest() == b""
        await all_gone(server)
    assert app.heard == ["hi", 4321]


class Talkative(App):
    """Says something when it has heard of the end."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await super().__call__(scope, receive, send)
        try:
            await send({"type": "websocket.send", "text": "late"})
        except OSError:
            self.heard.append("refused")


@pytest.mark.parametrize("polite", [True, False])
async def test_nothing_is_sent_behind_the_end(polite: bool) -> None:
    app = Talkative()
    async with serving(app) as server, opened(port_of(server), "") as peer:
        if polite:
            await peer.send(frame(CLOSE, (4321).to_bytes(2)))
            assert await peer.code() == 4321
            assert await peer.rest() == b""
        else:
            peer.writer.transport.abort()
        await all_gone(server)
    assert app.heard == [4321 if polite else 1005, "refused"]


async def test_a_close_is_finished_when_the_peer_answers_it() -> None:
    app = App(close)
    async with serving(app) as server, opened(port_of(server), "") as peer:
        assert await peer.receive() == (CLOSE, CLOSED)
        await peer.send(frame(TEXT, b"late") + frame(CLOSE, CLOSED))
        assert await peer.rest() == b""
        await all_gone(server)
    assert app.heard == [4008]


async def test_a_peer_that_does_not_answer_a_close_is_cut() -> None:
    async with serving(App(close)) as server, opened(port_of(server), "") as peer:
        assert await peer.code() == 4008
        assert await peer.rest() == b""
        await all_gone(server)


async def test_a_peer_that_does_not_answer_a_fault_is_cut() -> None:
    async with serving(App()) as server, opened(port_of(server), "") as peer:
        await peer.send(frame(TEXT, b"\xff"))
        await all_gone(server)
        assert await peer.code() == 1007


async def test_a_peer_that_does_not_read_cannot_keep_a_socket_that_the_application_gives_up() -> (
    None
):
    async def give_up(send: Any) -> None:
        await send_much(send)
        async with asyncio.timeout(0.1):
            await close(send)

    app = App(give_up)
    async with serving(app) as server, opened(port_of(server), ""):
        await all_gone(server)
    assert app.heard == ["TimeoutError"]


async def test_a_peer_that_does_not_read_cannot_keep_a_socket_that_the_server_closes() -> None:
    app = App(send_much)
    async with serving(app) as server, opened(port_of(server), ""):
        socket = socket_of(server)
        await until(lambda: not socket.writable.is_set())
        socket.shutdown()
        await all_gone(server)
    assert app.heard == [1012]


async def test_a_peer_that_does_not_read_answers_no_ping() -> None:
    async def send_for_ever(send: Any) -> None:
        while True:
            await send_much(send)

    app = App(send_for_ever)
    async with serving(app, pings=0.1) as server, opened(port_of(server), ""):
        await all_gone(server)
    assert app.heard == ["ClientDisconnected"]


async def test_a_peer_that_does_not_read_is_not_read_from() -> None:
    async with serving(App(send_much)) as server, opened(port_of(server), "") as peer:
        await until(lambda: not socket_of(server).writable.is_set())
        await peer.send(frame(TEXT, b"hi") * 10)
        await until(lambda: socket_of(server).read_paused)


async def test_a_peer_that_reads_again_goes_on_where_it_was() -> None:
    app = App(send_much)
    async with serving(app) as server, opened(port_of(server), "") as peer:
        await until(lambda: not socket_of(server).writable.is_set())
        await peer.send(frame(TEXT, b"hi") + frame(PING) + frame(CLOSE, CLOSED))
        assert (await peer.receive())[0] == TEXT
        assert await peer.receive() == (PONG, b"")
        assert await peer.code() == 4008
        await all_gone(server)
    assert app.heard == ["hi", 4008]


async def test_a_silent_peer_is_kept_while_it_answers_pings() -> None:
    app = App()
    async with serving(app, pings=0.1) as server, opened(port_of(server), "") as peer:
        for _ in range(5):
            opcode, payload = await peer.receive()
            await peer.send(frame(PONG, payload))
        assert opcode == PING
        assert await peer.code() == 1011
        await all_gone(server)
    assert app.heard == [1005]


async def test_a_peer_that_vanishes_leaves_what_was_parsed_of_it() -> None:
    read = asyncio.Event()

    async def wait(send: Any) -> None:
        await read.wait()

    app = App(wait)
    async with serving(app) as server, opened(port_of(server), "") as peer:
        await peer.send(frame(TEXT, b"hi") * PARSED_BYTES)
        await until(lambda: socket_of(server).read_paused)
        socket_of(server).transport.abort()
        await until(lambda: not server.server_state.connections)
        read.set()
        await all_gone(server)
    assert 0 < app.heard.count("hi") < PARSED_BYTES
    assert app.heard[-1] == 1005


async def test_an_application_that_sends_after_the_end_is_told_and_not_blamed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = asyncio.Event()

    async def send_late(send: Any) -> None:
        await told.wait()
        await send({"type": "websocket.send", "text": "late"})

    app = App(send_late)
    async with serving(app) as server, opened(port_of(server), "") as peer:
        socket_of(server).shutdown()
        socket_of(server).shutdown()
        assert await peer.receive() == (CLOSE, (1012).to_bytes(2))
        told.set()
        await until(lambda: app.heard)
        assert await peer.rest() == b""
    assert (app.heard, caplog.records) == (["ClientDisconnected"], [])


async def test_a_peer_hears_that_the_application_is_broken() -> None:
    async def fail(send: Any) -> None:
        raise ValueError("the application is broken")

    async with serving(App(fail)) as server, opened(port_of(server), "") as peer:
        assert await peer.code() == 1011
        await all_gone(server)


async def _broken(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("the application is broken")


async def _silent(scope: Any, receive: Any, send: Any) -> None:
    """Neither accept nor refuse."""


async def _refusing(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.close"})


async def _forbidding(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.http.response.start", "status": 429, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b"{}"})


@pytest.mark.parametrize(
    ("app", "status"), [(_broken, 500), (_silent, 500), (_refusing, 403), (_forbidding, 429)]
)
async def test_a_socket_that_is_not_accepted_ends_with_an_http_answer(
    app: Any, status: int
) -> None:
    async with serving(app) as server, connected(port_of(server)) as peer:
        assert await peer.upgrade("") == status
        await peer.rest()
        await all_gone(server)


async def _in_two_parts(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.http.response.start", "status": 404, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b"{", "more_body": True})
    await send({"type": "websocket.http.response.body", "body": b"}"})


@pytest.mark.parametrize(
    ("app", "status"), [(_refusing, 403), (_forbidding, 429), (_in_two_parts, 404)]
)
async def test_a_stranger_who_is_refused_leaves_no_error_in_the_log(
    app: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(app) as server, connected(port_of(server)) as peer:
        assert await peer.upgrade("") == status
        assert await peer.rest() == (b"" if status == 403 else b"{}")
        await all_gone(server)
    assert caplog.records == []


async def test_a_socket_that_waits_to_be_accepted_is_refused_when_the_server_leaves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[str] = []

    async def hesitant(scope: Any, receive: Any, send: Any) -> None:
        heard.append((await receive())["type"])
        heard.append((await receive())["type"])

    async with serving(hesitant) as server, connected(port_of(server)) as peer:
        upgrade = asyncio.create_task(peer.upgrade(""))
        await until(lambda: heard)
        socket_of(server).shutdown()
        assert await upgrade == 503
        assert json.loads(await peer.rest())["status"] == 503
        await all_gone(server)
    assert (heard, caplog.records) == (["websocket.connect", "websocket.disconnect"], [])
