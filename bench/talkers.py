"""The service loaded over WebSockets: each has one message in flight, as the requests of `load`."""

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import uvloop

from bench.contenders import Figures, compare, figures
from bench.load import WARM_UP_SECONDS, Clock, LoadError, Tally, Turn, Usage, watch
from bench.sockets import Talk


@dataclass(frozen=True)
class Widget:
    """A customer's page: his token and his session."""

    token: str
    session_id: str


class Talker:
    """One socket that sends the next message when the last one is acknowledged, until the end."""

    def __init__(
        self, port: int, widget: Widget, content: Any, *, tally: Tally, clock: Clock
    ) -> None:
        self.talk = Talk(port, widget.token, self._hear)
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._frames = _frames(widget.session_id, content)
        self._tally = tally
        self._clock = clock
        self._sent = 0.0

    def send(self) -> None:
        """Send the next message."""
        self._sent = self._clock()
        self.talk.socket.say(next(self._frames))

    def _hear(self, text: bytes) -> None:
        now = self._clock()
        if not text.startswith(b'{"op":"ack"'):
            raise LoadError(f"no acknowledgement: {text!r}")
        self._tally.accept(sent=self._sent, now=now)
        if now < self._tally.end:
            self.send()
        else:
            self.done.set_result(None)


@dataclass
class Sockets:
    """The service, loaded over a socket for each widget; otherwise as `contenders.Http`."""

    port: int
    widgets: Sequence[Widget]
    content: Any
    stored: Callable[[], int]
    prepare: Callable[[], object]
    used: Callable[[], Usage]
    clock: Clock = field(default=time.perf_counter)

    def turn(self, seconds: int) -> Figures:
        """A warm-up, then the window."""
        self.prepare()
        before = self.stored()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            turn = runner.run(self._load(seconds))
        compare(turn.tally.acknowledged, self.stored() - before)
        return figures(turn.tally.latencies, seconds=seconds, used=turn.used)

    async def _load(self, seconds: int) -> Turn:
        tally = Tally(0.0, 0.0)
        talkers = [
            Talker(self.port, widget, self.content, tally=tally, clock=self.clock)
            for widget in self.widgets
        ]
        async with AsyncExitStack() as stack:
            for talker in talkers:
                await talker.talk.open()
                stack.callback(talker.talk.socket.transport.abort)
            tally.begin = self.clock() + WARM_UP_SECONDS
            tally.end = tally.begin + seconds
            for talker in talkers:
                talker.send()
            ends = [talker.done for talker in talkers]
            return await watch(tally, ends, probe=self.used, clock=self.clock)


def _frames(session_id: str, content: Any) -> Iterator[bytes]:
    """Messages to one session without end."""
    name: Final = secrets.token_hex(6)
    for number in itertools.count(1):
        sent = {"op": "send", "id": number, "session_id": session_id}
        yield orjson.dumps(sent | {"client_message_id": f"{name}-{number:010}", "content": content})
