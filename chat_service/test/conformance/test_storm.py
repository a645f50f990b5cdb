"""Everybody comes back at once, as after a restart: 40 of the protocol."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from chat_service.test.backends import count
from chat_service.test.builders import Person
from chat_service.test.conformance.sqllog import watching
from chat_service.test.realtime.talkers import Socket
from chat_service.test.realtime.tuned import Tuned, tuned

CLIENTS = count(100, many=5_000)
"""How many come back."""
AT_ONCE = 25


class Client:
    """A customer, how far he has read, and what he reads on by."""

    def __init__(self, person: Person, session_id: str) -> None:
        self.person = person
        self.session_id = session_id
        self.cursor = "c1.p.0"
        self.socket: Socket | None = None

    async def resume(self) -> None:
        """Say hello and go on behind the cursor, without waiting in between."""
        assert self.socket is not None
        stream = f"session:{self.session_id}"
        self.socket.seqs[stream] = int(self.cursor.split(".")[2])
        await self.socket.say(op="hello", token=self.person.token)
        await self.socket.say(op="subscribe", id=1, stream=stream, after=self.cursor)
        assert (await self.socket.until("subscribed"))["resumed"] is True
        await self.socket.until("live")


async def arrive(place: Tuned) -> Client:
    """Somebody new, who has read all there is."""
    customer = await place.workspace.customer()
    client = Client(customer, str((await customer.start("1"))["session"]["id"]))
    client.cursor = (await customer.events(client.session_id))[-1]["cursor"]
    return client


@pytest.mark.conformance(40)
async def test_reconnect_storm_5000_clients_resume_without_db_per_client_read(
    database_url: str, tmp_path: Path
) -> None:
    # All open first and say hello together, so the first of them is silent for long.
    async with (
        tuned(database_url, tmp_path, recheck_seconds=1.0, hello_seconds=60.0) as place,
        AsyncExitStack() as stack,
    ):
        clients: list[Client] = []
        while len(clients) < CLIENTS:
            clients += await asyncio.gather(*(arrive(place) for _ in range(AT_ONCE)))
        for client in clients:
            client.socket = await stack.enter_async_context(place.address.socket())
        with watching(place.service.database.engine) as sql:
            await asyncio.gather(*(client.resume() for client in clients))
        reads = [each for each in sql.statements if each.startswith("SELECT")]
        for client in clients[::AT_ONCE]:
            assert client.socket is not None
            await client.person.send(client.session_id, "2")
            assert len(await client.socket.until_seq(client.session_id, 2)) == 1
    assert len(reads) < CLIENTS
