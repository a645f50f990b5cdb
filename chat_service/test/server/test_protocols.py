"""One anonymous socket against the bounds of a request head and of the queue behind it."""

import asyncio
import json
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chat_service.server.drain import Drain
from chat_service.server.protocols import UNANSWERED, HttpProtocol, require_overrides
from chat_service.test.server.apps import PATIENCE, answer, serving, until
from chat_service.test.server.clients import connected

GET = b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n"


class App:
    """Notes each request; answers a GET when `gate` is open and a POST when its body is whole."""

    def __init__(self) -> None:
        self.drain = Drain()
        self.paths: list[str] = []
        self.left = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.paths.append(scope["path"])
        await self.gate.wait()
        message = await receive()
        while scope["method"] == "POST" and message.get("more_body"):
            message = await receive()
        if message["type"] == "http.disconnect":
            self.left += 1
        await answer(send, scope["path"].encode())


HUGE = {
    "many fields": b"".join(b"x-%d: %s\r\n" % (n, b"a" * 100) for n in range(400)),
    "one field": b"x: %s\r\n" % (b"a" * 40_000),
    "empty fields": b"a:\r\n" * 20_000,
}


@pytest.mark.parametrize("fields", HUGE.values(), ids=HUGE.keys())
@pytest.mark.asvs("15.2.2")
@pytest.mark.api_top10("API4")
async def test_a_huge_head_is_refused_and_the_connection_closed(fields: bytes) -> None:
    app = App()
    async with serving(app, head_bytes=32_768) as server, connected(server) as client:
        await client.send(b"GET / HTTP/1.1\r\nhost: x\r\n" + fields + b"\r\n\r\n")
        status, body = await client.answer()
        assert await client.rest() == b""
    assert (status, json.loads(body)["status"]) == (431, 431)
    assert app.paths == []


async def test_a_huge_target_is_refused_and_the_connection_closed() -> None:
    app = App()
    async with serving(app, head_bytes=32_768) as server, connected(server) as client:
        await client.send(b"GET /%s HTTP/1.1\r\n\r\n" % (b"a" * 40_000))
        assert (await client.answer())[0] == 431
        assert await client.rest() == b""
    assert app.paths == []


@pytest.mark.parametrize("piece", [b"x: %s\r\n" % (b"a" * 1_000), b"a" * 1_000, b"\r\n" * 500])
@pytest.mark.asvs("15.2.2")
@pytest.mark.api_top10("API4")
async def test_a_head_that_goes_on_for_ever_is_not_kept(piece: bytes) -> None:
    app = App()
    async with serving(app, head_bytes=32_768) as server, connected(server) as client:
        await client.send(b"" if piece.isspace() else b"GET / HTTP/1.1\r\n")
        await until(lambda: server.server_state.connections)
        sent = 0
        while server.server_state.connections and sent < 10_000_000:
            await client.send(piece)
            await asyncio.sleep(0)
            sent += len(piece)
        assert sent < 10_000_000
    assert app.paths == []


async def test_a_head_within_the_bound_is_served() -> None:
    async with serving(App(), head_bytes=32_768) as server, connected(server) as client:
        await client.send(b"GET /1 HTTP/1.1\r\nx: %s\r\n\r\n" % (b"a" * 32_000))
        assert await client.answer() == (200, b"/1")


@pytest.mark.parametrize(
    "tail",
    [
        b"0\r\nx: %s" % (b"a" * 40_000),
        b"0\r\n" + b"x: a\r\n" * 8_000,
        b"1;%s" % (b"a" * 40_000),
    ],
    ids=["one trailer", "many trailers", "chunk extension"],
)
async def test_what_is_no_body_is_bounded_after_the_head_as_well(tail: bytes) -> None:
    app = App()
    async with serving(app, head_bytes=32_768) as server, connected(server) as client:
        await client.send(CHUNKED)
        await until(lambda: app.paths)
        await client.send(tail)
        assert await client.rest() == b""
        await until(lambda: app.left)


async def test_a_large_body_is_no_matter_of_the_head() -> None:
    async with serving(App(), head_bytes=1_024) as server, connected(server) as client:
        await client.send(b"POST /1 HTTP/1.1\r\ncontent-length: 900000\r\n\r\n" + b"a" * 900_000)
        assert await client.answer() == (200, b"/1")


async def test_what_cannot_be_parsed_is_refused_as_a_problem() -> None:
    async with serving(App()) as server, connected(server) as client:
        await client.send(b"\x16\x03\x01\x02\x00\x01\r\n\r\n")
        received = await client.rest()
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
    }


async def test_a_bad_head_puts_no_second_answer_into_the_first() -> None:
    app = App()
    app.gate.clear()
    async with serving(app) as server, connected(server) as client:
        await client.send(GET % 1)
        await until(lambda: app.paths)
        await client.send(b"\x16\x03\x01\x02\x00\x01\r\n\r\n")
        assert await client.rest() == b""
        app.gate.set()


@pytest.mark.parametrize("begun", [b"", b"G", b"GET / HTTP/1.1\r\nx: "], ids=["silent", "1", "2"])
async def test_a_silent_or_slow_head_is_cut(begun: bytes) -> None:
    async with serving(App(), head_seconds=0.2) as server, connected(server) as client:
        await client.send(begun)
        assert await client.rest() == b""
        await until(lambda: not server.server_state.connections)


@pytest.mark.asvs("15.2.2")
@pytest.mark.api_top10("API4")
async def test_a_head_that_comes_byte_by_byte_is_cut() -> None:
    async with serving(App(), head_seconds=0.2) as server, connected(server) as client:
        await client.send(b"GET / HTTP/1.1\r\nx: ")
        await until(lambda: server.server_state.connections)
        async with asyncio.timeout(PATIENCE):
            while server.server_state.connections:
                await client.send(b"a")
                await asyncio.sleep(0.05)


async def test_a_connection_is_kept_alive_between_heads() -> None:
    async with serving(App(), head_seconds=0.1) as server, connected(server) as client:
        for number in range(3):
            await client.send(GET % number)
            assert await client.answer() == (200, b"/%d" % number)
            await asyncio.sleep(0.3)


async def test_the_next_head_of_a_kept_connection_is_cut_when_slow() -> None:
    async with serving(App(), head_seconds=0.2) as server, connected(server) as client:
        await client.send(GET % 1)
        assert await client.answer() == (200, b"/1")
        await client.send(b"GET /2")
        assert await client.rest() == b""


async def test_a_slow_body_is_not_cut_by_the_clock_of_the_head() -> None:
    async with serving(App(), head_seconds=0.1) as server, connected(server) as client:
        await client.send(b"POST /1 HTTP/1.1\r\ncontent-length: 2\r\n\r\nh")
        await asyncio.sleep(0.3)
        await client.send(b"i")
        assert await client.answer() == (200, b"/1")


async def _refuse(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, status=413)


async def test_a_connection_goes_on_when_a_body_comes_after_its_answer() -> None:
    async with (
        serving(_refuse, head_seconds=0.2) as server,
        connected(server) as client,
    ):
        for _ in range(3):
            await client.send(b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nh")
            assert (await client.answer())[0] == 413
            await client.send(b"i")
            await asyncio.sleep(0.3)


@pytest.mark.parametrize("rest", [b"i", b"ii", b"ii\r\n"], ids=["unfinished", "whole", "and more"])
async def test_a_connection_does_not_stay_for_ever_after_such_a_body(
    rest: bytes,
) -> None:
    async with serving(_refuse, keep_alive=1) as server, connected(server) as client:
        await client.send(b"POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nh")
        assert (await client.answer())[0] == 413
        await client.send(rest)
        assert await client.rest() == b""


async def test_empty_lines_do_not_keep_a_connection() -> None:
    async with serving(App(), keep_alive=1) as server, connected(server) as client:
        await client.send(GET % 1)
        assert await client.answer() == (200, b"/1")
        async with asyncio.timeout(PATIENCE):
            while server.server_state.connections:
                await client.send(b"\r\n")
                await asyncio.sleep(0.1)


async def test_some_requests_may_come_before_their_turn() -> None:
    async with serving(App()) as server, connected(server) as client:
        await client.send(b"".join(GET % number for number in range(UNANSWERED)))
        for number in range(UNANSWERED):
            assert await client.answer() == (200, b"/%d" % number)


@pytest.mark.asvs("15.2.2")
@pytest.mark.api_top10("API4")
async def test_a_flood_of_requests_ends_the_connection() -> None:
    app = App()
    app.gate.clear()
    async with serving(app) as server, connected(server) as client:
        await client.send(b"".join(GET % number for number in range(2_000)))
        assert await client.rest() == b""
        app.gate.set()
        await until(lambda: not server.server_state.tasks)
    assert app.paths == ["/0"]


async def test_each_request_of_a_connection_is_told_that_the_client_left() -> None:
    left: list[str] = []

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        left.append(scope["path"])

    async with serving(stream) as server, connected(server) as client:
        await client.send(GET % 1 + GET % 2)
        await until(lambda: server.server_state.tasks)
        client.writer.close()
        await until(lambda: left)
    assert left == ["/1"]


async def test_a_client_that_we_do_not_read_from_is_not_cut() -> None:
    app = App()
    app.gate.clear()
    async with serving(app, head_seconds=0.5) as server, connected(server) as client:
        await client.send(GET % 1 + GET % 2 + b"GET /3 HT")
        await asyncio.sleep(0.8)
        await client.send(b"TP/1.1\r\n\r\n")
        app.gate.set()
        assert [(await client.answer())[1] for _ in range(3)] == [b"/1", b"/2", b"/3"]


async def test_an_upgrade_nobody_offers_is_an_ordinary_request() -> None:
    async with serving(App()) as server, connected(server) as client:
        await client.send(b"GET /1 HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n")
        assert await client.answer() == (200, b"/1")
        await client.send(GET % 2)
        assert await client.answer() == (200, b"/2")


def test_every_hooked_method_of_uvicorn_exists() -> None:
    require_overrides(HttpProtocol, HttpToolsProtocol)


def test_a_method_that_uvicorn_no_longer_has_is_refused() -> None:
    with pytest.raises(RuntimeError, match="BaseProtocol has no data_received, on_message_begin"):
        require_overrides(HttpProtocol, asyncio.BaseProtocol)


async def test_a_process_that_leaves_closes_each_connection_with_its_answer() -> None:
    app = App()
    async with serving(app) as server, connected(server) as client:
        await client.send(GET % 1)
        assert (await client.answer())[0] == 200
        app.drain.draining = True
        await client.send(GET % 2)
        answer = await client.rest()
    assert answer.startswith(b"HTTP/1.1 200 ") and b"connection: close" in answer
    assert answer.endswith(b"/2")
