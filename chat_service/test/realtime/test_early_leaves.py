"""Clients of streams that leave before their answer has begun: nothing of them stays."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.event import listen

from chat_service.app import Service
from chat_service.errors import DatabaseUnavailable
from chat_service.model import FeedHead
from chat_service.realtime.peer import Door
from chat_service.test.realtime.bare import bare_stream
from chat_service.test.realtime.list_client import until
from chat_service.test.realtime.tuned import Tuned, tuned


@pytest.fixture
async def place(database_url: str, tmp_path: Path) -> AsyncIterator[Tuned]:
    """A service that nobody else uses."""
    async with tuned(database_url, tmp_path) as place:
        yield place


def is_left(service: Service) -> bool:
    """Whether the service follows nothing and nobody."""
    return not len(service.hub.feeds) and not service.hub.followed and not of_streams(service)


def of_streams(service: Service) -> int:
    """How many streams there are."""
    return service.hub.connected[Door.STREAM]


async def test_of_a_stream_whose_client_leaves_before_its_beginning_is_found_nothing_stays(
    place: Tuned,
) -> None:
    customer = await place.workspace.customer()
    session_id = (await customer.start())["session"]["id"]
    broken = [True]

    def refuse(_: Any, __: Any, statement: str, *___: Any) -> None:
        if broken and FeedHead.__tablename__ in statement:
            raise DatabaseUnavailable()

    listen(place.service.database.engine.sync_engine, "before_cursor_execute", refuse)
    path = f"/v1/sessions/{session_id}/events"
    async with bare_stream(place.service, customer, path, "after_seq=0") as stream:
        await until(lambda: len(place.service.hub.feeds))
        stream.put("http.disconnect")
        await until(lambda: is_left(place.service))
    broken.clear()


@pytest.mark.parametrize("kind", ["session", "list"])
async def test_of_a_stream_whose_client_leaves_before_its_body_is_begun_nothing_stays(
    place: Tuned, kind: str
) -> None:
    agent, customer = await place.workspace.agent(), await place.workspace.customer()
    session_id = (await customer.start())["session"]["id"]
    paths = {"session": f"/v1/sessions/{session_id}/events", "list": "/v1/sessions/changes"}
    async with bare_stream(place.service, agent, paths[kind]) as stream:
        await stream.waiting()
        assert of_streams(place.service) == 1
        stream.put("http.disconnect")
        await until(lambda: is_left(place.service))


@pytest.mark.parametrize("kind", ["session", "list"])
async def test_of_a_stream_that_was_read_for_a_while_nothing_stays(place: Tuned, kind: str) -> None:
    agent, customer = await place.workspace.agent(), await place.workspace.customer()
    session_id = (await customer.start())["session"]["id"]
    paths = {"session": f"/v1/sessions/{session_id}/events", "list": "/v1/sessions/changes"}
    async with bare_stream(place.service, agent, paths[kind]) as stream:
        assert await stream.start() == 200
        await stream.take()
        stream.put("http.disconnect")
        await until(lambda: is_left(place.service))
