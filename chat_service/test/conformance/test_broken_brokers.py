"""Whatever the broker does, what was committed arrives, once and in order: 22 to 27, and 65."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest

from chat_service.config import Config, Realtime
from chat_service.model import migrations, open_engine
from chat_service.test.backends import LONG, count, touches_the_broker
from chat_service.test.builders import Person, Workspace
from chat_service.test.conformance.crossings import Crossing, crossing_on
from chat_service.test.conftest import config_of
from chat_service.test.postgres import FreshDatabase
from chat_service.test.realtime.talkers import Address
from chat_service.test.sessions.calls import act, waiting

T_HEAD = 5.0 if LONG else 0.5
BOUND = T_HEAD * 1.2 + 1 + 1
"""Seconds within which a lost hint is made good; the last one is for a slow machine."""
NEVER = 60.0
"""No test waits for a head check that comes so late."""
without_head_check = pytest.mark.parametrize("head_check_seconds", [NEVER], ids=["no check"])


@pytest.fixture(scope="module")
async def config(
    backend: str,
    broker_url: str,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Config:
    """Of services on a database of this file's own."""
    folder: Path = tmp_path_factory.mktemp("crossing")
    url = f"sqlite:///{folder / 'chat.db'}"
    if backend != "sqlite":
        fresh: FreshDatabase = request.getfixturevalue("fresh_database")
        url = fresh("crossing")
    made = config_of(url, folder, broker=broker_url)
    engine = open_engine(made.database)
    await migrations.upgrade(engine)
    await engine.dispose()
    return made


@pytest.fixture
def head_check_seconds() -> float:
    """How often the service looks for what it was not told of."""
    return T_HEAD


@pytest.fixture
async def crossing(config: Config, head_check_seconds: float) -> AsyncIterator[Crossing]:
    """Two services with nothing wrong yet."""
    realtime = Realtime(head_check_seconds=head_check_seconds)
    async with crossing_on(attrs.evolve(config, realtime=realtime)) as crossing:
        yield crossing


@pytest.fixture
def workspace(crossing: Crossing) -> Workspace:
    """The workspace at the service that is written at."""
    return crossing.workspace


@pytest.fixture
def address(crossing: Crossing) -> Address:
    """Where the other one listens."""
    return crossing.address


@pytest.fixture
async def customer(workspace: Workspace) -> Person:
    """Whose session it is."""
    return await workspace.customer()


@pytest.fixture
async def session_id(customer: Person) -> str:
    """A session with one message."""
    return str((await customer.start("1"))["session"]["id"])


async def say(customer: Person, session_id: str, times: int) -> int:
    """Send one after the other; the number of the last."""
    for _ in range(times):
        sent = await customer.send(session_id)
        assert sent.status_code == 201, sent.text
    return int(sent.json()["message"]["seq"])


async def whole_log(customer: Person, session_id: str) -> list[str]:
    """The ids of all events of a session, by pages."""
    ids: list[str] = []
    while page := await customer.events(session_id, after_seq=len(ids), limit=500):
        ids += [event["id"] for event in page]
    return ids


@pytest.mark.conformance(22)
@touches_the_broker
@without_head_check
async def test_resume_on_lagging_node_never_goes_back(
    crossing: Crossing, address: Address, customer: Person, session_id: str
) -> None:
    async with address.socket(customer) as held:
        await held.follow(session_id)
        crossing.trouble.lost = 1.0
        last = await say(customer, session_id, 5)
        ahead = (await customer.events(session_id))[-1]["cursor"]
        async with address.socket(customer) as socket:
            answer = await socket.follow(session_id, after=ahead)
            assert (answer["resumed"], held.seqs) == (True, {f"session:{session_id}": 1})
            crossing.trouble.lost = 0.0
            end = await say(customer, session_id, 3)
            events = await socket.until_seq(session_id, end)
            assert [event["seq"] for event in events] == list(range(last + 1, end + 1))
            assert [frame["op"] for frame in socket.heard if frame["op"] == "reset"] == []
        await held.until_seq(session_id, end)


@pytest.mark.conformance(23)
@touches_the_broker
async def test_broker_drops_everything_delivery_within_t_head(
    crossing: Crossing, address: Address, customer: Person, session_id: str
) -> None:
    crossing.trouble.lost = 1.0
    async with address.socket(customer) as socket:
        await socket.follow(session_id)
        for _ in range(3):
            last = await say(customer, session_id, 3)
            async with asyncio.timeout(BOUND):
                await socket.until_seq(session_id, last)
    assert crossing.trouble.happened["lost"]


@pytest.mark.conformance(24)
@touches_the_broker
async def test_broker_drops_last_event_is_found_by_head_check(
    crossing: Crossing, address: Address, customer: Person, session_id: str
) -> None:
    async with address.socket(customer) as socket:
        await socket.follow(session_id)
        await socket.until_seq(session_id, await say(customer, session_id, 3))
        crossing.trouble.lost = 1.0
        last = await say(customer, session_id, 1)
        async with asyncio.timeout(BOUND):
            events = await socket.until_seq(session_id, last)
    assert events[-1]["seq"] == last


@pytest.mark.conformance(25)
@touches_the_broker
@without_head_check
async def test_broker_reorders_and_doubles_client_sees_order_once(
    crossing: Crossing, address: Address, customer: Person, session_id: str
) -> None:
    trouble = crossing.trouble
    trouble.doubled = trouble.delayed = trouble.most_seconds = 0.5
    async with address.socket(customer) as socket:
        await socket.follow(session_id)
        last = await say(customer, session_id, count(60, many=1_000))
        events = await socket.until_seq(session_id, last)
    assert [event["seq"] for event in events] == list(range(2, last + 1))
    assert [event["id"] for event in events] == (await whole_log(customer, session_id))[1:]
    assert all(trouble.happened[what] for what in ("doubled", "delayed", "overtaken"))


@pytest.mark.conformance(26)
@pytest.mark.timeout(120)
@touches_the_broker
@without_head_check
async def test_broker_blackout_60s_then_recovery_no_loss(
    crossing: Crossing, address: Address, customer: Person, session_id: str
) -> None:
    over = asyncio.Event()

    async def talk() -> None:
        while not over.is_set():
            await say(customer, session_id, 1)
            await asyncio.sleep(0.02)

    async with address.socket(customer) as socket, asyncio.TaskGroup() as group:
        await socket.follow(session_id, after="c1.p.0")
        group.create_task(talk())
        crossing.trouble.black_out()
        for _ in range(count(2, many=60)):
            dark = await say(customer, session_id, 1)
            async with asyncio.timeout(BOUND):
                await socket.until_seq(session_id, dark)
            await asyncio.sleep(1)
        crossing.trouble.recover()
        over.set()
        await socket.until_seq(session_id, await say(customer, session_id, 5))
    assert crossing.trouble.happened["unsaid"]


@pytest.mark.conformance(27)
@touches_the_broker
async def test_publish_never_happens_event_still_delivered(
    crossing: Crossing, address: Address, customer: Person, session_id: str
) -> None:
    crossing.trouble.mute = True
    async with address.socket(customer) as socket:
        await socket.follow(session_id)
        last = await say(customer, session_id, 2)
        async with asyncio.timeout(BOUND):
            await socket.until_seq(session_id, last)
    assert crossing.trouble.happened["unsaid"]


@pytest.mark.conformance(65)
@touches_the_broker
async def test_revoked_agent_receives_nothing_after_7s_with_broker_down(
    crossing: Crossing, workspace: Workspace, address: Address, customer: Person
) -> None:
    """Where the head check is shortened, so are the seven seconds."""
    crossing.trouble.lost = 1.0
    bob, key = await workspace.agent(), await workspace.key()
    session_id = await waiting(customer)
    await act(bob, session_id, "claim")
    async with address.socket(bob) as desk, address.socket(bob) as list_only:
        await desk.follow(session_id)
        await list_only.ask("subscribe", stream="sessions")
        async with address.stream(bob, session_id, after_seq=0) as source:
            assert (await bob.post("/v1/auth/sign-out")).status_code == 204
            async with asyncio.timeout(BOUND):
                for socket in (desk, list_only):
                    assert await socket.closed() == 4506
                async for told in source:
                    assert "too late" not in told.data
            await key.send(session_id, "too late")
        assert "too late" not in json.dumps([desk.events, desk.heard, list_only.heard])
    async with address.socket() as socket:
        await socket.say(op="hello", token=bob.token)
        assert await socket.closed() == 4501
