"""An HTTP/1.1 load driver, cheap enough not to be what is measured.

Owns keep-alive connections with one request in flight each, and what counts: an answer 201 that came
inside the window. Knows nothing of chat: requests come ready made. Times are seconds of one clock.
"""

import asyncio
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

CONNECTIONS: Final = 32
WARM_UP_SECONDS: Final = 1.0
"""How long requests are sent before the window begins."""
GRACE_SECONDS: Final = 10.0
"""How long the last answers may take after the window has ended."""

Clock = Callable[[], float]
Usage = Mapping[str, float]


class LoadError(Exception):
    """The figures of a turn mean nothing: requests were refused or lost."""


class Answers:
    """Splits what one connection receives into answers, in whatever pieces it comes."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; returns each answer that is now whole, head and body.

        Raises LoadError for an answer without Content-Length, whose end cannot be told.
        """
        held = self._held + data
        whole = []
        while (head := held.find(b"\r\n\r\n")) >= 0:
            size = head + 4 + _content_length(held[:head])
            if len(held) < size:
                break
            whole.append(held[:size])
            held = held[size:]
        self._held = held
        return whole


def _content_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    if not found:
        raise LoadError(f"no Content-Length: {head!r}")
    return int(rest.partition(b"\r\n")[0])


@dataclass
class Tally:
    """What was answered in a turn whose window is `begin` to `end`."""

    begin: float
    end: float
    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    """Of each 201 inside the window."""
    outside: int = 0
    """Answers 201 before the window or after it: stored as well, and not counted."""
    refused: list[bytes] = field(default_factory=list)
    lost: int = 0
    """Requests whose connection ended before their answer, or that waited too long for it."""

    @property
    def acknowledged(self) -> int:
        """All answers 201: as many messages must be stored."""
        return len(self.latencies) + self.outside

    def count(self, answer: bytes, *, sent: float, now: float) -> None:
        """Count one answer."""
        if answer.startswith(b"201", len("HTTP/1.1 ")):
            self.accept(sent=sent, now=now)
        else:
            self.refused.append(answer)

    def accept(self, *, sent: float, now: float) -> None:
        """Count a message that was acknowledged."""
        if self.begin <= now < self.end:
            self.latencies.append(now - sent)
        else:
            self.outside += 1

    def check(self) -> None:
        """Raise LoadError unless every request was answered 201."""
        if self.refused:
            raise LoadError(f"{len(self.refused)} requests refused, first: {self.refused[0]!r}")
        if self.lost:
            raise LoadError(f"{self.lost} requests were never answered")


class Connection(asyncio.Protocol):
    """One connection: the next request goes out when the last one is answered, until the end."""

    def __init__(self, requests: Iterator[bytes], tally: Tally, clock: Clock) -> None:
        self._requests = requests
        self._tally = tally
        self._clock = clock
        self._answers = Answers()
        self._sent: float | None = None
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        # A transport for reading and writing, whatever the annotation of the protocol says.
        self._transport = cast(asyncio.Transport, transport)
        self._send(self._clock())

    def data_received(self, data: bytes) -> None:
        """Count what is answered, and go on."""
        for answer in self._answers.feed(data):
            now = self._clock()
            if self._sent is None:
                raise LoadError(f"an answer to nothing: {answer!r}")
            self._tally.count(answer, sent=self._sent, now=now)
            self._sent = None
            self._send(now)

    def connection_lost(self, exc: Exception | None) -> None:
        """A request in flight is lost."""
        self._tally.lost += self._sent is not None
        if not self.closed.done():
            self.closed.set_result(None)

    def _send(self, now: float) -> None:
        if now >= self._tally.end or self._tally.refused:
            self._transport.close()
            return
        self._sent = now
        self._transport.write(next(self._requests))


@dataclass(frozen=True)
class Turn:
    """What a turn came to; `used` is what `probe` rose by inside the window."""

    tally: Tally
    used: Usage


async def load(
    port: int,
    requests: Iterator[bytes],
    *,
    seconds: float,
    probe: Callable[[], Usage],
    connections: int = CONNECTIONS,
    warm_up: float = WARM_UP_SECONDS,
    clock: Clock = time.perf_counter,
) -> Turn:
    """Load a server on this machine; every connection has one request in flight.

    Raises LoadError where a request was not answered 201.
    """
    loop = asyncio.get_running_loop()
    begin = clock() + warm_up
    tally = Tally(begin, begin + seconds)
    opened = [
        await loop.create_connection(lambda: Connection(requests, tally, clock), "127.0.0.1", port)
        for _ in range(connections)
    ]
    try:
        return await watch(
            tally, [connection.closed for _, connection in opened], probe=probe, clock=clock
        )
    finally:
        for transport, _ in opened:
            transport.abort()


async def watch(
    tally: Tally,
    ends: Sequence[asyncio.Future[None]],
    *,
    probe: Callable[[], Usage],
    clock: Clock,
) -> Turn:
    """Let a turn pass; `ends` are done when nothing waits for an answer any more.

    Raises LoadError where a request was not accepted.
    """
    await asyncio.sleep(tally.begin - clock())
    before = probe()
    await asyncio.sleep(tally.end - clock())
    after = probe()
    _, unanswered = await asyncio.wait(ends, timeout=GRACE_SECONDS)
    tally.lost += len(unanswered)
    tally.check()
    return Turn(tally, {name: after[name] - before[name] for name in after})
