"""A client that leaves: what a write, a read and an unfinished body hear of it."""

import asyncio
from typing import Any

import pytest

from chat_service.server.asgi import KeepWrites
from chat_service.test.server.apps import PATIENCE, answer, port_of, serving, until


class Watching:
    """An application that reads its body, then listens for the client's leaving as it works."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()
        self.heard: list[str] = []
        self.written = False
        self.listener: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun.set()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.heard.append("left")
                return
            more = message["more_body"]
        self.listener = asyncio.create_task(self._listen(receive))
        await self.gate.wait()
        self.written = self.heard == []
        await answer(send)

    async def _listen(self, receive: Any) -> None:
        self.heard.append((await receive())["type"])


async def _send_and_leave(app: Watching, request: bytes) -> None:
    """Send a request to `app`, leave, and come back when the server has noticed."""
    async with serving(KeepWrites(app)) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        writer.write(request)
        async with asyncio.timeout(PATIENCE):
            await app.begun.wait()
        writer.close()
        await until(lambda: not server.server_state.connections)
        await asyncio.sleep(0.05)  # what must not happen has this time to happen
        app.gate.set()
        await until(lambda: not server.server_state.tasks)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_client_that_leaves_never_cancels_a_write(method: str) -> None:
    app = Watching()
    await _send_and_leave(app, f"{method} / HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi".encode())
    assert app.written


async def test_who_still_listens_when_the_write_is_done_does_not_wait_for_ever() -> None:
    app = Watching()
    await _send_and_leave(app, b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi")
    assert app.listener is not None
    async with asyncio.timeout(PATIENCE):
        await app.listener
    assert app.heard == ["http.disconnect"]


async def test_a_body_that_will_never_be_whole_ends_the_request() -> None:
    app = Watching()
    await _send_and_leave(app, b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nh")
    assert app.heard == ["left"]


async def test_a_reader_hears_that_its_client_left() -> None:
    app = Watching()
    await _send_and_leave(app, b"GET / HTTP/1.1\r\n\r\n")
    assert app.heard == ["http.disconnect"]
    assert not app.written


async def _receive_whole() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send_to_nobody(message: dict[str, Any]) -> None:
    raise BrokenPipeError


async def _write(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await answer(send)


async def test_an_answer_to_a_client_that_left_raises_nothing_into_a_write() -> None:
    scope = {"type": "http", "method": "POST"}
    await KeepWrites(_write)(scope, _receive_whole, _send_to_nobody)


async def test_a_stream_is_told_by_the_server_that_its_client_left() -> None:
    scope = {"type": "http", "method": "GET"}
    with pytest.raises(BrokenPipeError):
        await KeepWrites(_write)(scope, _receive_whole, _send_to_nobody)


async def test_a_request_comes_and_goes_unchanged() -> None:
    async def echo(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, (await receive())["body"], status=201)

    async with serving(KeepWrites(echo)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        writer.write(b"POST / HTTP/1.1\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi")
        async with asyncio.timeout(PATIENCE):
            response = await reader.read()
        writer.close()
    assert response.startswith(b"HTTP/1.1 201") and response.endswith(b"\r\n\r\nhi")
