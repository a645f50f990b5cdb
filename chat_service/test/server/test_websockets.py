"""One anonymous peer against the bounds of a socket, and what an application hears of its end."""

import asyncio
from typing import Any

import pytest
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from chat_service.server.protocols import require_overrides
from chat_service.server.websockets import CONTROLS, FRAGMENTS, WebSocketProtocol
from chat_service.test.server.apps import answer, port_of, serving, until
from chat_service.test.server.peers import (
    BINARY,
    CONT,
    FIELDS,
    PING,
    PONG,
    TEXT,
    connected,
    frame,
    opened,
)
from chat_service.test.server.sockets import accept


class App:
    """Accepts when `gate` is open, sends back what comes, and notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.code = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self.gate.wait()
            await answer(send, scope["path"].encode())
            return
        await self.gate.wait()
        await accept(receive, send)
        while (message := await receive())["type"] == "websocket.receive":
            self.heard.append(message.get("text", message.get("bytes")))
            await send(message | {"type": "websocket.send"})
        self.code = message["code"]


@pytest.mark.parametrize(
    ("opcode", "payload", "heard"),
    [(TEXT, b"hi", "hi"), (TEXT, b"", ""), (BINARY, b"hi", b"hi"), (BINARY, b"", b"")],
)
@pytest.mark.parametrize("fragments", [1, 2, FRAGMENTS])
async def test_a_message_arrives_as_what_it_is(
    opcode: int, payload: bytes, heard: Any, fragments: int
) -> None:
    app = App()
    async with serving(app) as server, opened(port_of(server), "") as peer:
        await peer.send(frame(opcode, payload, fin=fragments == 1))
        for number in range(1, fragments):
            await peer.send(frame(CONT, fin=number == fragments - 1))
        assert await peer.receive() == (opcode, payload)
    assert app.heard == [heard]
    assert type(app.heard[0]) is type(heard)


async def test_compression_is_never_negotiated() -> None:
    app = App()
    offer = b"sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n"
    async with serving(app) as server, opened(port_of(server), "", offer) as peer:
        assert b"extensions" not in peer.head.lower()
        await peer.send(frame(TEXT, b"\x00" * 100, rsv=4))
        assert await peer.code() == 1002
        await peer.ended()
    assert app.heard == []


async def test_the_largest_message_is_64_kib() -> None:
    app = App()
    async with serving(app) as server, opened(port_of(server), "") as peer:
        await peer.send(frame(BINARY, bytes(65_536)))
        assert await peer.receive() == (BINARY, bytes(65_536))
    assert app.heard == [bytes(65_536)]


@pytest.mark.parametrize("parts", [1, 40])
async def test_who_sends_a_larger_one_is_told_so_while_it_still_sends(parts: int) -> None:
    app = App()
    async with serving(app) as server, opened(port_of(server), "") as peer:
        part = bytes(4_000_000 // parts)
        data = [frame(BINARY, part, fin=False), *[frame(CONT, part, fin=False)] * parts]
        sending = asyncio.create_task(peer.send(b"".join(data)))
        assert await peer.code() == 1009
        await sending
        await peer.ended()
        await until(lambda: app.code)
    assert (app.heard, app.code) == ([], 1009)


@pytest.mark.parametrize("fragments", [FRAGMENTS + 1, 100_000])
async def test_a_message_of_too_many_fragments_ends_the_socket(fragments: int) -> None:
    app = App()
    async with serving(app) as server, opened(port_of(server), "") as peer:
        await peer.send(frame(TEXT, fin=False) + frame(CONT, fin=False) * (fragments - 1))
        assert await peer.code() == 1008
        await peer.ended()
        await until(lambda: app.code)
    assert (app.heard, app.code) == ([], 1008)


@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_a_flood_of_pings_ends_the_socket(opcode: int) -> None:
    app = App()
    async with serving(app) as server, opened(port_of(server), "") as peer:
        await peer.send(frame(opcode) * 10_000)
        assert await peer.code() == 1008
        await peer.ended()


async def test_some_pings_are_answered() -> None:
    async with serving(App()) as server, opened(port_of(server), "") as peer:
        await peer.send(frame(PING, b"hi") * CONTROLS)
        for _ in range(CONTROLS):
            assert await peer.receive() == (PONG, b"hi")


async def test_what_is_no_utf_8_ends_the_socket_and_is_no_error_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = App()
    async with serving(app) as server, opened(port_of(server), "") as peer:
        await peer.send(frame(TEXT, b"\xff"))
        assert await peer.code() == 1007
        await peer.ended()
        await until(lambda: app.code)
    assert (app.heard, app.code, caplog.records) == ([], 1007, [])


async def test_what_came_before_a_fault_is_still_heard() -> None:
    app = App()
    async with serving(app) as server, opened(port_of(server), "") as peer:
        await peer.send(frame(TEXT, b"hi") + frame(TEXT, b"\xff") + frame(TEXT, b"ho"))
        assert await peer.code() == 1007
        await until(lambda: app.heard)
    assert app.heard == ["hi"]


async def test_a_flood_of_messages_waits_unparsed_and_loses_nothing() -> None:
    app = App()
    app.gate.clear()

    async def later(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await app.gate.wait()
        for _ in range(20_000):
            app.heard.append((await receive())["text"])
        await send({"type": "websocket.close", "code": 4000})

    async with serving(later) as server, opened(port_of(server), "") as peer:
        texts = [str(number) for number in range(20_000)]
        await peer.send(b"".join(frame(TEXT, text.encode()) for text in texts))
        (socket,) = server.server_state.connections
        assert isinstance(socket, WebSocketProtocol)
        await until(lambda: socket.read_paused)
        assert 0 < len(socket.queue) < 1_000
        app.gate.set()
        assert await peer.code() == 4000
    assert app.heard == texts


async def test_frames_that_do_not_wait_for_the_handshake_are_not_parsed_before_it() -> None:
    app = App()
    app.gate.clear()
    async with serving(app) as server, connected(port_of(server)) as peer:
        upgrade = asyncio.create_task(peer.upgrade(""))
        await until(lambda: server.server_state.tasks)
        await peer.send(frame(TEXT, b"hi") + frame(TEXT, rsv=4))
        await asyncio.sleep(0.05)  # they have this time to arrive
        app.gate.set()
        assert await upgrade == 101
        assert await peer.code() == 1002
        await until(lambda: app.heard)
    assert app.heard == ["hi"]


@pytest.mark.parametrize("begun", [b"", b"x: y"], ids=["1", "2"])
async def test_a_slow_upgrade_is_cut(begun: bytes) -> None:
    async with (
        serving(App(), head_seconds=0.2) as server,
        connected(port_of(server)) as peer,
    ):
        await peer.send(b"GET / HTTP/1.1\r\n" + FIELDS + begun)
        assert await peer.rest() == b""
        await until(lambda: not server.server_state.connections)


REFUSED = {
    "a huge head": (b"GET", b"x: %s\r\n" % (b"a" * 40_000), 431),
    "a long field": (b"GET", b"x: %s\r\n" % (b"a" * 9_000), 431),
    "many fields": (b"GET", b"x: y\r\n" * 200, 431),
    "a body": (b"GET", b"content-length: 2\r\n\r\nhi", 400),
    "a body that never comes": (b"GET", b"content-length: 2\r\n\r\n", 400),
    "two keys": (b"GET", b"sec-websocket-key: x\r\n", 400),
    "another method": (b"POST", b"", 405),
}


@pytest.mark.parametrize(("method", "fields", "status"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_bad_upgrade_is_answered_and_the_connection_closed(
    method: bytes, fields: bytes, status: int
) -> None:
    app = App()
    app.gate.clear()
    async with serving(app) as server, connected(port_of(server)) as peer:
        await peer.send(method + b" / HTTP/1.1\r\n" + FIELDS + fields + b"\r\n")
        assert (await peer.answer())[0] == status
        assert await peer.rest() == b""
        await until(lambda: not server.server_state.connections)
        assert not server.server_state.tasks


async def test_an_upgrade_in_front_of_an_answer_is_refused() -> None:
    app = App()
    app.gate.clear()
    async with serving(app) as server, connected(port_of(server)) as peer:
        await peer.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\n" + FIELDS + b"\r\n")
        assert await peer.rest() == b""
        app.gate.set()


async def test_a_kept_connection_may_become_a_socket_that_no_clock_of_http_cuts() -> None:
    async with (
        serving(App(), keep_alive=1, head_seconds=0.2) as server,
        connected(port_of(server)) as peer,
    ):
        await peer.send(b"GET /1 HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await peer.answer() == (200, b"/1")
        assert await peer.upgrade("") == 101
        await asyncio.sleep(1.3)
        await peer.send(frame(TEXT, b"hi"))
        assert await peer.receive() == (TEXT, b"hi")


def test_every_hooked_method_of_uvicorn_exists() -> None:
    require_overrides(WebSocketProtocol, WebSocketsSansIOProtocol)
