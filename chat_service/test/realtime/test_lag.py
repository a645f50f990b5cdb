"""A reader that reads, and too slowly: when it has to go, and that a long history is no lag."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import attrs
import pytest

from chat_service.app import Service
from chat_service.config import Realtime
from chat_service.realtime.lag import LAG_SECONDS, Lag
from chat_service.schema import SessionId
from chat_service.test.builders import Person, Workspace, build_workspace
from chat_service.test.conftest import config_of
from chat_service.test.events.apart import client_of, started
from chat_service.test.realtime.bare import bare_socket, bare_stream
from chat_service.test.realtime.talkers import PATIENCE

MOST = 100
"""So many events a reader may lag behind, which is the least that can be set."""


@pytest.fixture(scope="module")
async def strict(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    """A service that bears little lag."""
    folder: Path = tmp_path_factory.mktemp("strict")
    url = database_url if "postgres" in database_url else f"sqlite:///{folder / 'chat.db'}"
    config = attrs.evolve(config_of(url, folder), realtime=Realtime(lag_events=MOST))
    async with started(config) as service:
        yield service


@pytest.fixture
async def strict_workspace(strict: Service) -> AsyncIterator[Workspace]:
    """A workspace of that service."""
    async with client_of(strict) as client:
        yield await build_workspace(strict, client)


@pytest.fixture
async def customer(strict_workspace: Workspace) -> Person:
    """Whose session it is."""
    return await strict_workspace.customer()


@pytest.fixture
async def session_id(customer: Person) -> str:
    """A session with one message."""
    return str((await customer.start("1"))["session"]["id"])


async def write(customer: Person, session_id: str, count: int) -> None:
    """Let that much happen."""
    told = await asyncio.gather(*(customer.send(session_id) for _ in range(count)))
    assert {answer.status_code for answer in told} == {201}


async def test_a_reader_behind_by_too_many_events_is_closed_with_4008(
    strict: Service, customer: Person, session_id: str
) -> None:
    async with bare_socket(strict, customer) as slow, bare_socket(strict, customer) as quick:
        for peer in (slow, quick):
            await peer.follow(session_id, "c1.p.0")
            await peer.until("live")
        await write(customer, session_id, 1)
        await slow.waiting()
        await write(customer, session_id, MOST + 1)
        await quick.until_seq(MOST + 3)
        goodbye = await slow.until("goodbye")
        assert (goodbye["code"], goodbye["reconnect"]) == (4008, True)
        assert await slow.read() == {"op": "close", "code": 4008}


async def test_a_reader_behind_by_as_many_as_allowed_goes_on(
    strict: Service, customer: Person, session_id: str
) -> None:
    async with bare_socket(strict, customer) as slow, bare_socket(strict, customer) as quick:
        for peer in (slow, quick):
            await peer.follow(session_id, "c1.p.0")
            await peer.until("live")
        await write(customer, session_id, 1)
        await slow.waiting()
        await write(customer, session_id, MOST)
        await quick.until_seq(MOST + 2)
        await slow.until_seq(MOST + 2)


async def test_a_stream_behind_by_too_many_events_ends(
    strict: Service, customer: Person, session_id: str
) -> None:
    path = f"/v1/sessions/{session_id}/events"
    async with bare_socket(strict, customer) as quick:
        await quick.follow(session_id, "c1.p.0")
        async with bare_stream(strict, customer, path, "after_seq=0") as slow:
            assert await slow.start() == 200
            assert ids((await slow.take())["body"].decode()) == []
            await slow.waiting()
            await write(customer, session_id, MOST + 1)
            await quick.until_seq(MOST + 2)
            assert ids(await slow.rest()) == ["c1.p.1"]


async def test_a_long_history_is_no_lag(strict: Service, customer: Person, session_id: str) -> None:
    await write(customer, session_id, 2 * MOST)
    async with bare_socket(strict, customer) as peer:
        await peer.follow(session_id, "c1.p.0")
        await peer.until_seq(2 * MOST + 1)
    path = f"/v1/sessions/{session_id}/events"
    async with bare_stream(strict, customer, path, "after_seq=0") as stream:
        assert await stream.start() == 200
        seen: list[str] = []
        while len(seen) < 2 * MOST + 1:
            seen += ids((await stream.take())["body"].decode())
    assert seen == [f"c1.p.{number}" for number in range(1, 2 * MOST + 2)]


async def test_a_stream_left_while_another_is_told_ends_nothing(
    strict: Service, customer: Person, session_id: str
) -> None:
    other = str((await customer.start("1"))["session"]["id"])
    async with bare_socket(strict, customer) as slow, bare_socket(strict, customer) as quick:
        for peer in (slow, quick):
            for each in (session_id, other):
                await peer.follow(each, "c1.p.0")
                await peer.until("live")
        slow.say(op="ping", t=1)
        await slow.waiting()
        await write(customer, session_id, 1)
        await write(customer, other, 1)
        await quick.until_seq(2)
        await quick.until_seq(2)
        assert await slow.read() == {"op": "pong", "t": 1}
        await slow.waiting()
        for each in (session_id, other):
            slow.say(op="unsubscribe", id=2, stream=f"session:{each}")
        slow.say(op="ping", t=2)
        await write(customer, session_id, 1)
        frames = [await slow.read()]
        while frames[-1]["op"] != "pong":
            frames.append(await slow.read())
    assert [frame["op"] for frame in frames if frame["op"] != "state"] == [
        "events",
        "ack",
        "ack",
        "pong",
    ]


async def test_a_stream_left_before_it_is_live_is_told_no_more(
    strict: Service, strict_workspace: Workspace, customer: Person, session_id: str
) -> None:
    async with bare_socket(strict, customer) as peer:
        await peer.follow(session_id, "c1.p.0")
        await peer.waiting()
        peer.say(op="unsubscribe", id=2, stream=f"session:{session_id}")
        peer.say(op="ping", t=1)
        async with asyncio.timeout(PATIENCE):
            while strict.hub.listening(strict_workspace.id, SessionId(UUID(session_id))):
                await asyncio.sleep(0.001)
        frames = [await peer.read() for _ in range(3)]
        peer.say(op="ping", t=2)
        frames.append(await peer.read())
    assert [frame["op"] for frame in frames] == ["events", "ack", "pong", "pong"]


def ids(text: str) -> list[str]:
    """The cursors that a stream told, without their fences."""
    lines = [line for line in text.split("\n") if line.startswith("id: ")]
    return [line.removeprefix("id: ").rpartition(".")[0] for line in lines]


@pytest.mark.parametrize(
    ("steps", "late"),
    [
        ([(0, 5, 0.0), (4, 9, LAG_SECONDS + 1)], True),
        ([(0, 5, 0.0), (5, 9, LAG_SECONDS + 1)], False),
        ([(0, 5, 0.0), (5, 9, 30.0), (10, 5, 30.0 + LAG_SECONDS + 1)], True),
        ([(5, 0, 0.0), (6, 3, 1000.0)], False),
        ([(90, 5, 0.0), (2, 1, LAG_SECONDS + 1)], False),
        ([(0, MOST, 0.0)], False),
        ([(0, MOST + 1, 0.0)], True),
    ],
    ids=[
        "what was new a minute ago is not told",
        "it is told",
        "what was new since then is not told",
        "nothing happened for long",
        "the log was set back",
        "as many as allowed",
        "one more",
    ],
)
def test_a_reader_may_lag_so_far(steps: list[tuple[int, int, float]], late: bool) -> None:
    lag = Lag(MOST)
    *before, last = [lag.is_too_large(sent, behind, now=now) for sent, behind, now in steps]
    assert (any(before), last) == (False, late)
