"""A process that ends, or a connection that is lost, at a certain moment of a transaction."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import httpx2
import pytest

from chat_service.test.builders import Json, message
from chat_service.test.faults.planted import Fault, mark
from chat_service.test.faults.stage import Stage, staged
from chat_service.test.faults.stores import BACKENDS, postgres_store, sqlite_store

pytestmark = pytest.mark.timeout(120)
REPLAYED = "Idempotent-Replayed"


@pytest.fixture(scope="module", params=BACKENDS)
async def planted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """A service in which marked messages set off faults."""
    folder = tmp_path_factory.mktemp("moments")
    if request.param == "sqlite":
        store = await sqlite_store(folder)
    else:
        store = await postgres_store(request.getfixturevalue("durable_postgres"))
    async with staged(store, folder, Random(1), planted=True) as stage:
        yield stage


@pytest.fixture
async def stage(planted: Stage) -> Stage:
    """The same; it runs at the beginning of each test, whatever the one before has done to it."""
    if planted.victim.has_ended():
        await planted.victim.start(planted=True)
    return planted


async def send(stage: Stage, body: Json) -> httpx2.Response | None:
    """One attempt of the first chat's customer; None where the server has died."""
    chat = stage.tenant.chats[0]
    return await stage.writers.try_send(chat.customer, chat.id, body)


async def sent(stage: Stage) -> int:
    """Send an ordinary message; its number."""
    chat = stage.tenant.chats[0]
    number: int = (await stage.writers.send(chat.customer, chat.id))["seq"]
    return number


async def dies(stage: Stage, fault: Fault) -> Json:
    """Send a message that kills the server, and start it again; the message."""
    body = message(mark(fault, stage.victim.pid))
    assert await send(stage, body) is None
    await stage.victim.ended()
    await stage.victim.start(planted=True)
    return body


async def is_stored(stage: Stage, body: Json) -> bool:
    """Whether a message is in the database."""
    history = await stage.notes.history(stage.store.url)
    return body["client_message_id"] in {stored.client_message_id for stored in history.messages}


@pytest.mark.conformance(8)
async def test_retry_after_kill_before_commit_creates_one_message(stage: Stage) -> None:
    body = await dies(stage, Fault.KILL_BEFORE_COMMIT)
    assert not await is_stored(stage, body)
    answer = await send(stage, body)
    assert answer is not None
    assert (answer.status_code, REPLAYED in answer.headers) == (201, False)
    assert await stage.violations() == []


@pytest.mark.conformance(9)
async def test_retry_after_kill_after_commit_before_answer_returns_first_message(
    stage: Stage,
) -> None:
    body = await dies(stage, Fault.KILL_AFTER_COMMIT)
    assert await is_stored(stage, body)
    answer = await send(stage, body)
    assert answer is not None
    assert (answer.status_code, REPLAYED in answer.headers) == (201, True)
    assert await stage.violations() == []


@pytest.mark.conformance(3)
async def test_seq_has_no_hole_after_crash_mid_transaction(stage: Stage) -> None:
    before = await sent(stage)
    lost = await dies(stage, Fault.KILL_MID_TRANSACTION)
    assert not await is_stored(stage, lost)
    assert await sent(stage) == before + 1
    assert await stage.violations() == []


@pytest.mark.conformance(3)
async def test_seq_has_no_hole_after_rollback(stage: Stage) -> None:
    before = await sent(stage)
    body = message(mark(Fault.ROLL_BACK, stage.victim.pid))
    refused = await send(stage, body)
    assert refused is not None and refused.status_code == 503
    assert not await is_stored(stage, body)
    assert await sent(stage) == before + 1
    assert await stage.violations() == []


async def test_rollback_answers_503_to_its_batch_and_the_retry_is_stored(stage: Stage) -> None:
    chat, agent = stage.tenant.chats[0], stage.tenant.agents[0]
    marked = mark(Fault.ROLL_BACK, stage.victim.pid)
    before = stage.notes.refusals["database_unavailable"]
    await asyncio.gather(
        *(stage.writers.send(chat.customer, chat.id) for _ in range(9)),
        *(stage.writers.send(agent, chat.id, text) for text in (marked, "Hello")),
    )
    assert stage.notes.refusals["database_unavailable"] > before
    assert await stage.violations() == []


async def test_commit_whose_outcome_is_unknown_is_503_and_its_retry_finds_it(
    stage: Stage,
) -> None:
    body = message(mark(Fault.LOSE_COMMIT, stage.victim.pid))
    unknown = await send(stage, body)
    assert unknown is not None and unknown.status_code == 503
    assert await is_stored(stage, body)
    answer = await send(stage, body)
    assert answer is not None and answer.headers[REPLAYED] == "true"
    assert await stage.violations() == []
