"""Two processes' worth of service on one database, and the check of what each test leaves behind."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import attrs
import httpx2
import pytest

from chat_service.app import Service, create_app
from chat_service.config import Config, Realtime
from chat_service.model import is_sqlite
from chat_service.test.builders import Person, Workspace
from chat_service.test.conformance.processes import serving
from chat_service.test.conformance.scene import Scene, build_scene
from chat_service.test.conftest import config_of
from chat_service.test.events.apart import client_of
from chat_service.test.fakes import TurningClock
from chat_service.test.faults import history
from chat_service.test.faults.history import History
from chat_service.test.faults.stored import read_history
from chat_service.test.postgres import FreshDatabase
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.talkers import Address

CHECKS: Final = (
    history.keys_are_unique,
    history.audiences_have_their_numbers,
    history.session_numbers_are_gapless,
    history.counters_match_the_log,
    history.positions_are_gapless,
    history.messages_have_their_event,
    history.one_holder_a_session,
)
"""Those that need no notes of what was sent."""

Elsewhere = Callable[[Person], list[Person]]


@pytest.fixture(scope="session")
async def second(service: Service, turning_clock: TurningClock) -> AsyncIterator[Service]:
    """A second service on that database, by the test's clock; a SQLite file has but the one."""
    if is_sqlite(service.database.engine):
        yield service
        return
    other = create_app(service.config, clock=turning_clock)
    with other.database.bound():
        await other.quart.startup()
        yield other
        await other.quart.shutdown()


@pytest.fixture
async def nodes(
    second: Service, client: httpx2.AsyncClient
) -> AsyncIterator[Sequence[httpx2.AsyncClient]]:
    """Clients of both services."""
    async with client_of(second) as other:
        yield [client, other]


@pytest.fixture(scope="session")
async def home(service: Service) -> AsyncIterator[Address]:
    """Where the first service listens, at which everything of `workspace` is written."""
    async with served(service) as address:
        yield address


@pytest.fixture(scope="session")
async def second_home(second: Service) -> AsyncIterator[Address]:
    """Where the second one of this process listens."""
    async with served(second) as address:
        yield address


@pytest.fixture(scope="session")
async def second_process(service: Service, home: Address) -> AsyncIterator[Address]:
    """Where a process of its own listens on that database; a SQLite file has but the one."""
    if is_sqlite(service.database.engine):
        yield home
        return
    async with serving(service.config) as victim:
        yield Address(f"127.0.0.1:{victim.port}")


@pytest.fixture
def address(request: pytest.FixtureRequest) -> Address:
    """Where sockets and streams are opened: not where things are written, so all of it crosses.

    It is another process, or where a test turns its clock a service that goes by that clock.
    """
    turns = "clock" in request.fixturenames
    found: Address = request.getfixturevalue("second_home" if turns else "second_process")
    return found


@pytest.fixture
def own_config(
    backend: str, broker_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Config:
    """Of services on an empty database of the test's own, which it may spoil."""
    url = f"sqlite:///{tmp_path / 'chat.db'}"
    if backend != "sqlite":
        fresh: FreshDatabase = request.getfixturevalue("fresh_database")
        url = fresh("own")
    realtime = Realtime(head_check_seconds=0.5)
    return attrs.evolve(config_of(url, tmp_path, broker=broker_url), realtime=realtime)


@pytest.fixture
def on_nodes(nodes: Sequence[httpx2.AsyncClient]) -> Elsewhere:
    """Makes of one person the same person at each node."""
    return lambda person: [replace(person, client=client) for client in nodes]


@pytest.fixture(autouse=True)
async def numbers_stay_whole(workspace: Workspace) -> AsyncIterator[None]:
    """After each test the log of its workspace has all its numbers, each once and in order."""
    yield
    left = await read_history(workspace.service.config.database.url)
    own = _of(workspace, left)
    assert [line for holds in CHECKS for line in holds(own)] == []


def _of(workspace: Workspace, left: History) -> History:
    """The part of a history that belongs to one workspace."""
    events = tuple(event for event in left.events if event.workspace_id == workspace.id)
    ids = {event.session_id for event in events}
    return History(
        events=events,
        messages=tuple(each for each in left.messages if each.session_id in ids),
        sessions=tuple(each for each in left.sessions if each.id in ids),
    )


@pytest.fixture
async def scene(workspace: Workspace) -> Scene:
    """What the acts of a test happen to."""
    return await build_scene(workspace)
