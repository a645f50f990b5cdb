"""NATS as a broker: who is asked for what, and how a cluster is reached."""

import asyncio
from collections.abc import Iterator

import pytest

from chat_service.events.broker import Hint
from chat_service.schema import WorkspaceId, new_id
from chat_service.test.events.peers import NatsPlace
from chat_service.test.nats_server import NoNats, Server, running
from chat_service.test.require import skip_or_fail

PASSWORD, ESCAPED = "p4ss:w@rd/,", "p4ss%3Aw%40rd%2F%2C"


@pytest.fixture
def place(shared_nats: Server) -> NatsPlace:
    """The server of all tests."""
    return NatsPlace(shared_nats.url)


@pytest.fixture(
    params=[("--user", "chat", "--pass", PASSWORD), ("--auth", PASSWORD)], ids=["password", "token"]
)
def closed_nats(request: pytest.FixtureRequest) -> Iterator[tuple[Server, str]]:
    """A server that lets nobody in without credentials, and how they stand in its URL."""
    credentials = f"chat:{ESCAPED}" if "--user" in request.param else ESCAPED
    try:
        with running(*request.param) as server:
            yield server, server.url.replace("//", f"//{credentials}@")
    except NoNats as error:
        skip_or_fail("nats", str(error))


async def test_only_what_is_watched_is_heard(place: NatsPlace, workspace_id: WorkspaceId) -> None:
    first, second = WorkspaceId(new_id()), WorkspaceId(new_id())
    async with place.peer() as one, place.peer(first) as other:
        await one.tells(other, first)
        other.broker.watch(second)
        await one.tells(other, second)
        other.broker.watch(second)
        other.broker.unwatch(first)
        other.broker.unwatch(workspace_id)
        other.broker.watch(workspace_id)
        await one.tells(other, workspace_id)
        one.broker.publish(Hint(workspace=first, pos=100))
        await one.tells(other, second)
        assert Hint(workspace=first, pos=100) not in other.received


async def test_what_was_watched_is_watched_again_after_an_outage(
    private_nats: Server, workspace_id: WorkspaceId
) -> None:
    place = NatsPlace(private_nats.url)
    during = WorkspaceId(new_id())
    async with place.peer() as one, place.peer() as other:
        other.broker.watch(workspace_id)
        await asyncio.to_thread(private_nats.kill)
        await other.is_told(False, True)
        other.broker.watch(during)
        await asyncio.to_thread(private_nats.start)
        await other.is_told(False, True, False)
        await one.is_told(False, True, False)
        await one.tells(other, workspace_id)
        await one.tells(other, during)


async def test_a_server_that_is_down_is_passed_over(place: NatsPlace, private_nats: Server) -> None:
    await asyncio.to_thread(private_nats.kill)
    both = NatsPlace(f"{private_nats.url},{place.url.removeprefix('nats://')}")
    async with both.peer(), both.peer(), both.peer():
        pass


async def test_credentials_are_shown_to_the_server(closed_nats: tuple[Server, str]) -> None:
    server, url = closed_nats
    async with NatsPlace(url).peer():
        pass
    async with NatsPlace(server.url).starting_peer() as peer:
        await peer.is_told(True)
