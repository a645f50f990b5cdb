"""A service that is killed while widgets are connected: when they are back, and what it asks for that."""

import asyncio
import random
import re
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Final

import uvloop

from bench.contenders import percentile
from bench.crowds import allow_files
from bench.limits import Readings
from bench.load import LoadError
from bench.roads import Poster, message
from bench.sockets import Talk
from bench.talkers import Widget

FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 30.0
"""A client's pauses between its tries, as the guide asks for: doubled, of each a random part."""
EVERY_SECONDS: Final = 0.02
"""How often a first message is tried."""
PATIENCE_SECONDS: Final = 60.0
QUERY: Final = re.compile(rb"(?:statement|execute [^:]*): (?!BEGIN|COMMIT|ROLLBACK|SET|SHOW|;)\S")


@dataclass
class Restart:
    """The service on `port` with a socket for each widget; `log` has the statements it asks."""

    launch: Callable[[], AbstractContextManager["Popen[bytes]"]]
    port: int
    widgets: Sequence[Widget]
    log: Path

    def turn(self, seconds: int) -> Readings:
        """Connect all, kill the process, start another, wait until all are back."""
        allow_files()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(self._restart())

    async def _restart(self) -> Readings:
        chance = random.Random(1)
        async with asyncio.timeout(2 * PATIENCE_SECONDS):
            with self.launch() as first:
                await self._first_send()
                places = asyncio.Semaphore(50)
                pages = [Page(self.port, widget, chance) for widget in self.widgets]
                await asyncio.gather(*(page.begin(places) for page in pages))
                asked = self.log.stat().st_size
                first.kill()
                first.wait()
                with self.launch():
                    began = time.perf_counter()
                    back = [asyncio.create_task(page.come_back()) for page in pages]
                    sent = await self._first_send()
                    returned = await asyncio.gather(*back)
                    for page in pages:
                        page.talk.socket.transport.abort()
        taken = [at - began for at in returned]
        return {
            "widgets": len(pages),
            "first send s": sent - began,
            "resumed p50 s": percentile(taken, 0.50),
            "resumed p99 s": percentile(taken, 0.99),
            "queries a client": self._queries(asked) / len(pages),
        }

    async def _first_send(self) -> float:
        """When a message was accepted, tried again and again."""
        widget = self.widgets[0]
        poster = Poster(self.port, f"/v1/sessions/{widget.session_id}/messages", widget.token)
        body = message(secrets.token_hex(12))
        while True:
            try:
                await poster.post(body)
            except (OSError, EOFError):
                await asyncio.sleep(EVERY_SECONDS)
            else:
                await poster.end()
                return time.perf_counter()

    def _queries(self, begin: int) -> int:
        with self.log.open("rb") as file:
            file.seek(begin)
            return len(QUERY.findall(file.read()))


class Page:
    """A widget that keeps the cursor of what it has, and comes back by itself."""

    def __init__(self, port: int, widget: Widget, chance: random.Random) -> None:
        self.talk = Talk(port, widget.token)
        self._session_id = widget.session_id
        self._chance = chance

    async def begin(self, places: asyncio.Semaphore) -> None:
        """Connect for the first time."""
        async with places:
            await self.talk.begin(self._session_id)

    async def come_back(self) -> float:
        """Resume where it was, when the connection is lost; when that was done."""
        await self.talk.socket.lost
        cursor, wait = self.talk.cursor, FIRST_WAIT
        if cursor is None:
            raise LoadError("a widget without a cursor")
        while True:
            await asyncio.sleep(self._chance.random() * wait)
            wait = min(2 * wait, LONGEST_WAIT)
            try:
                await self.talk.open()
                await self.talk.follow(self._session_id, cursor)
            except OSError:  # a time-out among them
                continue
            return time.perf_counter()
