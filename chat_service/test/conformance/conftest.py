"""Two processes' worth of service on one database, and the check of what each test leaves behind."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

import httpx2
import pytest

from chat_service.app import Service, create_app
from chat_service.model import is_sqlite
from chat_service.test.builders import Person, Workspace
from chat_service.test.conformance.scene import Scene, build_scene
from chat_service.test.events.apart import client_of
from chat_service.test.fakes import TurningClock
from chat_service.test.faults import history
from chat_service.test.faults.history import History
from chat_service.test.faults.stored import read_history

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

Nodes = Sequence[httpx2.AsyncClient]
Elsewhere = Callable[[Person], list[Person]]


@pytest.fixture
async def nodes(
    service: Service, client: httpx2.AsyncClient, turning_clock: TurningClock
) -> AsyncIterator[Nodes]:
    """Clients of two services on one database; a SQLite file is served by one alone."""
    async with AsyncExitStack() as stack:
        if is_sqlite(service.database.engine):
            yield [client, client]
            return
        other = create_app(service.config, clock=turning_clock)
        with other.database.bound():
            await other.quart.startup()
        yield [client, await stack.enter_async_context(client_of(other))]
        with other.database.bound():
            await other.quart.shutdown()


@pytest.fixture
def on_nodes(nodes: Nodes) -> Elsewhere:
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
