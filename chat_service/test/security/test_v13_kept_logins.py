"""V13: nobody keeps what he came by, whatever he is doing when it ends.

Chatwoot CVE-2021-3740: another password left old logins alone. Whatever meets the act at the same
moment stands in `test_v13_races`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from sqlalchemy.event import listen, remove

from chat_service.app import Service
from chat_service.schema import Role, utc_now
from chat_service.test.agents.lives import works
from chat_service.test.backends import count
from chat_service.test.builders import Person, Workspace
from chat_service.test.fakes import TurningClock
from chat_service.test.postgres import FreshDatabase
from chat_service.test.realtime.pairs import Node, Pair, pair_on
from chat_service.test.rows import revoke
from chat_service.test.security.crowds import Crowd, Open, calls_of
from chat_service.test.security.endings import ENDINGS, Case
from chat_service.test.test_auth import another_process, at

AT_ONCE: Final = dict.fromkeys(ENDINGS, count(10, many=50)) | dict.fromkeys(
    ("deactivated", "given another role", "given another password"), 50
)
"""How many requests at a time."""
RECHECK_SECONDS: Final = 0.2
TOO_LATE: Final = "words that are too late"
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
async def pair(
    fresh_database: FreshDatabase,
    tmp_path_factory: pytest.TempPathFactory,
    turning_clock: TurningClock,
) -> AsyncIterator[Pair]:
    """Two services on one database, which go by nothing remembered."""
    folder: Path = tmp_path_factory.mktemp("kept")
    async with pair_on(fresh_database("kept"), folder, turning_clock) as pair:
        yield pair


@pytest.fixture(scope="module")
async def elsewhere(pair: Pair, turning_clock: TurningClock) -> AsyncIterator[httpx2.AsyncClient]:
    """A third one, which remembers a token for a while."""
    service, seconds = pair.one.service, RECHECK_SECONDS
    async with another_process(service, turning_clock, recheck_seconds=seconds) as (_, there):
        yield there


@pytest.fixture(scope="module")
async def boss(pair: Pair) -> Person:
    """Who may end everybody's logins."""
    return await pair.one.workspace.agent(Role.OWNER)


async def ended(case: Case) -> None:
    """See to it that somebody's token has ended, as is acknowledged."""
    answer = await case.end()
    assert answer.is_success, answer.text


def begin(group: asyncio.TaskGroup, crowd: Crowd, case: Case, places: Iterable[Person]) -> None:
    """Let somebody do all that he may in many places at once."""
    calls = calls_of(case.session_id)
    for number, person in enumerate(places):
        group.create_task(crowd.ask(person, calls[number // 2 % len(calls)]))


@pytest.mark.asvs("7.4.1", "7.4.2", "8.3.2")
@pytest.mark.api_top10("API2")
@pytest.mark.parametrize("name", ENDINGS)
async def test_no_request_that_begins_after_the_answer_succeeds(
    pair: Pair, elsewhere: httpx2.AsyncClient, boss: Person, name: str
) -> None:
    case, places = await ENDINGS[name](pair.one.workspace, boss), AT_ONCE[name]
    crowd, late_crowd, talk = Crowd(), Crowd(pause=0.02), Crowd(pause=0.02)
    both = [at(node.workspace.client, case.who) for node in (pair.one, pair.other)]
    async with pair.other.address.socket(case.who) as socket, asyncio.TaskGroup() as group:
        await socket.follow(case.session_id)
        talking = group.create_task(talk.talk(socket, case.session_id))
        begin(group, crowd, case, both * (places // 2))
        begin(group, late_crowd, case, [at(elsewhere, case.who)] * 2)
        for each, number in ((crowd, places), (late_crowd, 2), (talk, 1)):
            await each.has_begun(number)
        await ended(case)
        for each in (crowd, talk):
            each.over.set()
        await asyncio.sleep(RECHECK_SECONDS)
        late_crowd.over.set()
    assert len(crowd.late) == places and set(crowd.late) == {401}
    assert len(late_crowd.late) == 2 and set(late_crowd.late) == {401}
    assert set(talk.late) <= {401}
    assert talking.result() in (case.close, 4506)
    assert {200, 201} <= set(crowd.early) and 201 in talk.early


@pytest.fixture(params=[False, True], ids=["broker", "silence"])
def silent(pair: Pair, request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether the broker delivers nothing."""
    pair.exchange.silent = bool(request.param)
    yield pair.exchange.silent
    pair.exchange.silent = False


async def ticket_of(case: Case) -> str | None:
    """A ticket of an agent; others have none."""
    if not case.who.token.startswith("at_"):
        return None
    ticket: str = (await case.who.post("/v1/realtime/tickets")).json()["ticket"]
    return ticket


def open_at(node: Node, case: Case) -> Open:
    """What somebody may have open at a service."""
    return Open(node, at(node.workspace.client, case.who), case.session_id)


@pytest.mark.asvs("7.4.1", "7.4.2", "8.3.2")
async def test_all_that_was_open_is_closed_and_told_nothing_that_follows(
    pair: Pair, boss: Person, silent: bool
) -> None:
    """By a token and by a ticket, at the service that heard of it and at the other one."""
    cases = [await ending(pair.one.workspace, boss) for ending in ENDINGS.values()]
    unused = [await ticket_of(case) for case in cases]
    nodes = (pair.other, pair.one) if silent else (pair.other,)
    opened = [[open_at(node, case) for node in nodes] for case in cases]
    async with asyncio.TaskGroup() as group:
        for case, places in zip(cases, opened, strict=True):
            for place, ticket in zip(places, (await ticket_of(case), None)):
                group.create_task(place.until_the_end(ticket))
                await place.is_open()
        for case in cases:
            await ended(case)
            said = await boss.send(case.session_id, TOO_LATE)
            assert said.status_code == 201, said.text
    for case, places in zip(cases, opened, strict=True):
        assert {(place.code, place.status) for place in places} == {(case.close, 401)}
        assert TOO_LATE not in str([place.told for place in places])
    for case, unseen in zip(cases, unused, strict=True):
        for shown in ({"token": case.who.token}, {"ticket": unseen or "tk"}):
            async with pair.other.address.socket() as socket:
                await socket.say(op="hello", **shown)
                assert await socket.closed() == 4501


@pytest.mark.asvs("8.3.2")
async def test_a_token_is_remembered_from_when_it_was_read(
    workspace: Workspace, turning_clock: TurningClock
) -> None:
    """Else one that ended while it was read would be good for as long again as the reading took."""
    apart = another_process(workspace.service, turning_clock, recheck_seconds=RECHECK_SECONDS)
    async with apart as (other, there):
        for person in (await workspace.agent(), await workspace.key()):
            with slow_reading(other, RECHECK_SECONDS):
                assert await works(at(there, person))
            if person.token.startswith("at_"):
                await person.post("/v1/auth/sign-out")
            else:
                await revoke(workspace, person, revoked_at=utc_now())
            assert not await works(at(there, person))


@contextmanager
def slow_reading(service: Service, seconds: float) -> Iterator[None]:
    """Let the look at a token take its time, after the database has answered."""

    def wait(_: Any, __: Any, statement: str, *___: Any) -> None:
        if "FROM tokens" in statement.replace("\n", " "):
            time.sleep(seconds)

    engine = service.database.engine.sync_engine
    listen(engine, "after_cursor_execute", wait)
    yield
    remove(engine, "after_cursor_execute", wait)
