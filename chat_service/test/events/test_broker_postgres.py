"""NOTIFY as a broker: how it reaches the database, and what it is there."""

from asyncio import StreamReader, StreamWriter

import asyncpg  # type: ignore[import-untyped]
import pytest
from sqlalchemy.engine import make_url
from structlog.testing import capture_logs

from chat_service.config import BrokerSettings
from chat_service.events.broker import Hint, open_broker
from chat_service.schema import WorkspaceId, new_id
from chat_service.test.events.peers import HASTY_SECONDS, Peer, PostgresPlace
from chat_service.test.postgres import FreshDatabase
from chat_service.test.proxy import proxied

NOTIFICATION = b"A"
CONNECTIONS = "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()"


class Muffled(StreamReader):
    """What a server says, without notifications while `is_muffled`."""

    def __init__(self, reader: StreamReader) -> None:
        super().__init__()
        self.is_muffled = False
        self._reader = reader

    async def read(self, _: int = -1) -> bytes:
        """The next message of the protocol: a letter, a length and the rest."""
        head = await self._reader.readexactly(5)
        message = head + await self._reader.readexactly(int.from_bytes(head[1:]) - 4)
        return await self.read() if self.is_muffled and head[:1] == NOTIFICATION else message


@pytest.fixture
def place(fresh_database: FreshDatabase) -> PostgresPlace:
    """A database of the test's own."""
    return PostgresPlace(fresh_database("notify"))


async def run(place: PostgresPlace, query: str, *values: object) -> list[int]:
    """The first column of what a query gives, on a connection of its own."""
    url = make_url(place.url).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    rows = await connection.fetch(query, *values)
    await connection.close()
    return [row[0] for row in rows]


async def connections(place: PostgresPlace) -> list[int]:
    return await run(place, CONNECTIONS, make_url(place.url).database)


async def test_a_process_has_one_connection(place: PostgresPlace) -> None:
    hints = [Hint(workspace=WorkspaceId(new_id()), pos=1) for _ in range(600)]
    async with place.peer() as one, place.peer() as other:
        for hint in hints:
            one.broker.publish(hint)
        await other.hears(hints[-1])
        assert len(await connections(place)) == 2


async def test_an_ended_connection_is_missed_without_a_check(place: PostgresPlace) -> None:
    peer = Peer(open_broker(BrokerSettings(check_seconds=300), place.url))
    await peer.start()
    await peer.is_told(False)
    (pid,) = await connections(place)
    await run(place, "SELECT pg_terminate_backend($1)", pid)
    await peer.is_told(False, True, False)
    await peer.broker.stop()


async def test_what_others_ask_themselves_is_no_garbage(place: PostgresPlace) -> None:
    async with place.peer() as one, place.peer() as other:
        with capture_logs() as logs:
            await place.shout(WorkspaceId(new_id()), "ping 0123456789abcdef")
            hint = Hint(workspace=WorkspaceId(new_id()), pos=1)
            one.broker.publish(hint)
            await other.hears(hint)
    assert (logs, other.received) == ([], [hint])


async def test_a_server_without_tls_is_refused_where_tls_is_required(place: PostgresPlace) -> None:
    async with proxied(place.reach()) as proxy:
        url = make_url(place.behind(proxy).url)
        for mode, is_down in [("disable", False), ("require", True)]:
            there = url.update_query_dict({"sslmode": mode, "prepared_statement_cache_size": "0"})
            async with PostgresPlace(there.render_as_string(False)).starting_peer() as peer:
                await peer.is_told(is_down)


async def test_a_connection_that_does_not_hear_itself_is_given_up(place: PostgresPlace) -> None:
    made: list[Muffled] = []

    async def reach() -> tuple[StreamReader, StreamWriter]:
        reader, writer = await place.reach()()
        made.append(Muffled(reader))
        return made[-1], writer

    async with proxied(reach) as proxy:
        url = make_url(place.behind(proxy).url).update_query_dict({"sslmode": "disable"})
        there = PostgresPlace(url.render_as_string(False), HASTY_SECONDS)
        async with there.peer() as peer:
            made[0].is_muffled = True
            await peer.is_told(False, True, False)
