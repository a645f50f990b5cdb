"""Peers that do not read, that are gone without a word, that say too much: 41 to 44 and 46."""

import asyncio
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from pathlib import Path
from typing import Any

import pytest

from chat_service.realtime.closes import Close
from chat_service.realtime.connection import Connection
from chat_service.realtime.desk import Desk
from chat_service.realtime.writer import Owner, Writer
from chat_service.test.backends import LONG, count
from chat_service.test.builders import Person, Workspace
from chat_service.test.proxy import Proxy, proxied, reaching
from chat_service.test.realtime.stalled import hardened, memory, stalled
from chat_service.test.realtime.talkers import PATIENCE, Address
from chat_service.test.realtime.tuned import Tuned, tuned
from chat_service.test.server.apps import until
from chat_service_client import AsyncChat

READERS = count(24, many=1_000)
"""How many stalled readers."""
PATIENT = 10.0 if LONG else 1.0
"""Seconds until one is given up: none before all are there."""
LARGE = "x" * 16_000
FEW = 24
ROUNDS, AT_ONCE = 20, 10
EACH = 1024 * 1024
"""More than a stalled reader may cost, and a third of what is said in all rounds."""


async def begin(place: Tuned) -> tuple[Person, str]:
    """A customer and his session with one message."""
    customer = await place.workspace.customer()
    return customer, str((await customer.start("1"))["session"]["id"])


async def talk(customer: Person, session_id: str, rounds: int = ROUNDS) -> None:
    """Say much, some of it at once."""
    for _ in range(rounds):
        sends = (customer.send(session_id, LARGE) for _ in range(AT_ONCE))
        assert {answer.status_code for answer in await asyncio.gather(*sends)} == {201}


@pytest.mark.conformance(41)
async def test_slow_reader_is_evicted_and_memory_is_flat(database_url: str, tmp_path: Path) -> None:
    settings = {"send_seconds": PATIENT, "sockets_per_customer": 1_000}
    async with tuned(database_url, tmp_path, **settings) as place, hardened(place) as server:
        customer, session_id = await begin(place)
        await talk(customer, session_id)
        async with stalled(server, customer, session_id, count=READERS):
            assert server.sockets == READERS
            before = memory()
            await talk(customer, session_id)
            assert memory() - before < READERS * EACH
            await until(lambda: server.sockets == 0)
            assert place.service.hub.listened() == []


class Queueing(Writer):
    """A writer with a queue that has no bound, so that it never has to wait for its reader."""

    def __init__(self, desk: Desk, owner: Owner, connection: Connection, send: Any) -> None:
        super().__init__(desk, owner, connection, self._put)
        self._queue: asyncio.Queue[Any] = asyncio.Queue()
        self._sending = asyncio.create_task(self._send_all(send))

    async def close(self, close: Close, after_ms: int = 0) -> None:
        """Close, and send nothing more."""
        self._sending.cancel()
        await super().close(close, after_ms)

    async def _put(self, message: Any) -> None:
        self._queue.put_nowait(message)

    async def _send_all(self, send: Any) -> None:
        with suppress(OSError):
            while True:
                await send(await self._queue.get())


async def test_a_queue_for_each_connection_is_exposed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the flat memory is seen by: such a writer has all that was said, once a reader."""
    monkeypatch.setattr("chat_service.realtime.socket.Writer", Queueing)
    settings = {"send_seconds": 1.0, "sockets_per_customer": 100}
    url = f"sqlite:///{tmp_path / 'queues.db'}"
    async with tuned(url, tmp_path, **settings) as place, hardened(place) as server:
        customer, session_id = await begin(place)
        await talk(customer, session_id)
        async with stalled(server, customer, session_id, count=FEW):
            before = memory()
            await talk(customer, session_id)
            assert memory() - before > FEW * EACH
            assert server.sockets == FEW


@pytest.mark.conformance(42)
async def test_slow_reader_does_not_delay_fast_reader(database_url: str, tmp_path: Path) -> None:
    settings = {"send_seconds": 60.0, "sockets_per_customer": 100}
    async with tuned(database_url, tmp_path, **settings) as place, hardened(place) as server:
        customer, session_id = await begin(place)
        async with server.address.socket(customer) as fast:
            await fast.follow(session_id)
            async with stalled(server, customer, session_id, count=5):
                for number in range(3):
                    await talk(customer, session_id, rounds=1)
                    await fast.until_seq(session_id, 1 + AT_ONCE * (number + 1))
                assert server.sockets == 6


@pytest.mark.conformance(43)
async def test_half_open_connection_is_detected_by_both_sides_within_40s(
    database_url: str, tmp_path: Path
) -> None:
    """Neither end is told that the way between them is lost; both times are shortened."""
    settings = {"heartbeat_seconds": 0.5, "pong_seconds": 0.5}
    async with tuned(database_url, tmp_path, **settings) as place, to(place.address) as proxy:
        customer, session_id = await begin(place)
        url, seen = f"http://127.0.0.1:{proxy.port}", []
        async with AsyncChat(url, customer.token, silence=1.0) as chat:
            async with asyncio.timeout(PATIENCE), aclosing(chat.follow(session_id)) as events:
                async for event in events:
                    seen.append(event["seq"])
                    if event["seq"] == 1:
                        await listeners(place, 1)
                        proxy.silence()
                        await listeners(place, 0)
                        await customer.send(session_id, "2")
                    if event["seq"] == 2:
                        break
    assert seen == [1, 2]


def to(address: Address) -> AbstractAsyncContextManager[Proxy]:
    """A road to there."""
    host, _, port = address.place.partition(":")
    return proxied(reaching(host, int(port)))


async def listeners(place: Tuned, count: int) -> None:
    """Wait until so many sessions are listened to."""
    await until(lambda: len(place.service.hub.listened()) == count)


@pytest.mark.conformance(46)
async def test_frame_flood_is_limited_and_closed_4013(
    address: Address, workspace: Workspace
) -> None:
    customer = await workspace.customer()
    session_id = str((await customer.start())["session"]["id"])
    async with address.socket(customer) as calm, address.socket(customer) as loud:
        await calm.follow(session_id)
        for number in range(100):
            await loud.say(op="ping", t=number)
        goodbye = await loud.until("goodbye")
        assert (goodbye["code"], goodbye["reconnect"]) == (4013, True)
        assert await loud.closed() == 4013
        answered = [frame for frame in loud.heard if frame["op"] == "pong"]
        assert len(answered) < 100
        await customer.send(session_id, "2")
        assert [event["seq"] for event in await calm.until_seq(session_id, 2)] == [2]
