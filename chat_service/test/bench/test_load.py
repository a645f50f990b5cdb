"""The load driver: what it takes for an answer, what it counts, when it stops."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import repeat

import pytest

from bench.load import Answers, Connection, LoadError, Tally, Turn, load

REQUEST = b"POST / HTTP/1.1\r\n\r\n"
CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\nEtag: x\r\n\r\n\r\n\r\n."
REFUSED = b"HTTP/1.1 409 Conflict\r\ncontent-length: 0\r\n\r\n"


class Wire(asyncio.Transport):
    """A transport that keeps what was written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


class Hands:
    """A clock that shows what it is set to."""

    def __init__(self) -> None:
        self.shows = 0.0

    def __call__(self) -> float:
        return self.shows


class Line:
    """A connection that has sent its first request before the window, which is 10 to 20."""

    def __init__(self) -> None:
        self.wire, self.clock, self.tally = Wire(), Hands(), Tally(10, 20)
        self.connection = Connection(repeat(REQUEST), self.tally, self.clock)
        self.connection.connection_made(self.wire)

    def answer(self, data: bytes, *, at: float) -> None:
        """Receive bytes at a time."""
        self.clock.shows = at
        self.connection.data_received(data)


@pytest.mark.parametrize("size", range(1, len(CREATED)))
def test_finds_the_same_answers_in_pieces_of_any_size(size: int) -> None:
    answers, stream = Answers(), CREATED + REFUSED + CREATED
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    found = [answer for piece in pieces for answer in answers.feed(piece)]
    assert found == [CREATED, REFUSED, CREATED]


def test_refuses_an_answer_whose_end_it_cannot_tell() -> None:
    with pytest.raises(LoadError):
        Answers().feed(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n")


async def test_sends_the_next_request_when_the_last_one_is_answered() -> None:
    line = Line()
    line.answer(CREATED[:-1], at=11)
    assert len(line.wire.written) == 1
    line.answer(CREATED[-1:], at=12)
    assert len(line.wire.written) == 2


async def test_counts_an_answer_inside_the_window_with_its_latency() -> None:
    line = Line()
    line.answer(CREATED, at=11)
    line.answer(CREATED, at=14)
    assert list(line.tally.latencies) == [11, 3]


@pytest.mark.parametrize("at", [9.9, 20, 21])
async def test_an_answer_outside_the_window_is_acknowledged_and_not_counted(at: float) -> None:
    line = Line()
    line.answer(CREATED, at=at)
    assert list(line.tally.latencies) == []
    assert line.tally.acknowledged == 1


async def test_counts_no_other_status_and_says_so() -> None:
    line = Line()
    line.answer(REFUSED, at=11)
    assert line.tally.acknowledged == 0
    with pytest.raises(LoadError, match="409"):
        line.tally.check()


async def test_stops_at_the_end_of_the_window() -> None:
    line = Line()
    line.answer(CREATED, at=19.9)
    assert not line.wire.closed
    line.answer(CREATED, at=20)
    assert line.wire.closed
    assert len(line.wire.written) == 2


async def test_a_request_whose_connection_ends_is_lost() -> None:
    line = Line()
    line.connection.connection_lost(None)
    with pytest.raises(LoadError, match="1 requests"):
        line.tally.check()


async def test_a_connection_that_ends_after_its_last_answer_loses_nothing() -> None:
    line = Line()
    line.answer(CREATED, at=20)
    line.connection.connection_lost(None)
    line.tally.check()


Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[int]:
    """A server on this machine that answers each request so; gives its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(len(REQUEST)):
            await answer(writer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def turn(port: int, probe: Callable[[], dict[str, float]] = dict) -> Turn:
    """A short turn of two connections."""
    requests = repeat(REQUEST)
    return await load(port, requests, seconds=0.1, warm_up=0.02, connections=2, probe=probe)


async def test_acknowledges_as_much_as_a_server_has_answered() -> None:
    answered = 0

    async def answer(writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        answered += 1
        writer.write(CREATED[:20])
        await asyncio.sleep(0.001)
        writer.write(CREATED[20:])

    async with serving(answer) as port:
        result = await turn(port)
    assert result.tally.acknowledged == answered > 0


async def test_tells_what_was_used_between_begin_and_end_of_the_window() -> None:
    shown = iter([3.0, 10.0])

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(CREATED)

    async with serving(answer) as port:
        result = await turn(port, lambda: {"cpu": next(shown)})
    assert result.used == {"cpu": 7.0}


async def test_a_turn_in_which_a_request_was_refused_has_no_result() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(REFUSED)

    async with serving(answer) as port:
        with pytest.raises(LoadError, match="409"):
            await turn(port)
