"""The WebSocket client of the load driver: what it hears in pieces, and what it answers by itself."""

import asyncio

import pytest

from bench.sockets import PING, PONG, TEXT, Socket, frame
from chat_service.test.bench.test_load import Wire

UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
LONG = b"x" * 70_000
MIDDLE = b"y" * 300


def served(kind: int, payload: bytes) -> bytes:
    """A frame of a server, which does not mask."""
    size = len(payload)
    if size < 126:
        return bytes((kind, size)) + payload
    if size < 2**16:
        return bytes((kind, 126)) + size.to_bytes(2, "big") + payload
    return bytes((kind, 127)) + size.to_bytes(8, "big") + payload


class Line:
    """A socket that has asked for the upgrade, and what it heard."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.wire = Wire()
        self.socket = Socket("/here", "chat.v1", self.heard.append)
        self.socket.connection_made(self.wire)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 129, 1_000, 100_000])
async def test_hears_the_same_texts_in_pieces_of_any_size(size: int) -> None:
    line, texts = Line(), [b"one", b"", MIDDLE, LONG, b"last"]
    stream = UPGRADED + b"".join(served(TEXT, text) for text in texts)
    for at in range(0, len(stream), size):
        line.socket.data_received(stream[at : at + size])
    assert line.socket.opened.done()
    assert line.heard == texts


async def test_asks_for_its_path_and_subprotocol() -> None:
    asked = Line().wire.written[0].decode().split("\r\n")
    assert asked[0] == "GET /here HTTP/1.1"
    assert "Sec-WebSocket-Protocol: chat.v1" in asked


async def test_answers_a_ping_with_what_it_held_and_hears_none() -> None:
    line = Line()
    line.socket.data_received(UPGRADED + served(PING, b"held") + served(TEXT, b"text"))
    assert line.wire.written[1:] == [frame(PONG, b"held")]
    assert line.heard == [b"text"]


@pytest.mark.parametrize("payload", [b"", b"short", MIDDLE])
def test_masks_with_a_key_that_changes_nothing(payload: bytes) -> None:
    sent = frame(TEXT, payload)
    head = 2 if len(payload) < 126 else 4
    assert sent[1] & 0x80 and sent[head : head + 4] == bytes(4)
    assert sent[head + 4 :] == payload


async def test_a_refused_upgrade_is_an_error_of_the_connection() -> None:
    line = Line()
    line.socket.data_received(b"HTTP/1.1 403 Forbidden\r\n\r\nForbidden")
    with pytest.raises(ConnectionRefusedError):
        await line.socket.opened
    assert line.wire.closed


async def test_who_waits_learns_that_the_connection_is_lost() -> None:
    line = Line()
    line.socket.connection_lost(None)
    with pytest.raises(ConnectionResetError):
        await line.socket.opened
    async with asyncio.timeout(1):
        await line.socket.lost
