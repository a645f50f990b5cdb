"""The broker that is there anyway: NOTIFY on the service's own database.

Owns one connection of this process, beside the pool. It has one channel for all, as PostgreSQL
wakes every listener of a database whatever the channel; and it sends after the commit, as a NOTIFY
inside the transaction of a change would make all commits of the server wait for each other.
"""

import asyncio
from collections.abc import Sequence
from secrets import token_hex
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy.engine import make_url

from chat_service.config import BrokerSettings
from chat_service.events.broker_link import Link, LinkedBroker, Outgoing, Take
from chat_service.model import POSTGRES_SETTINGS, asyncpg_url
from chat_service.schema import WorkspaceId

CHANNEL: Final = "chat_service"
COALESCE_SECONDS: Final = 0.004
"""Between two notifications; what is published meanwhile goes along with the next."""
PING: Final = "ping "
# What SQLAlchemy keeps for itself of the address.
NOT_OF_THE_DRIVER: Final = {"prepared_statement_cache_size", "prepared_statement_name_func"}
NOTIFY: Final = f"SELECT pg_notify('{CHANNEL}', payload) FROM unnest($1::text[]) payload"


class PostgresBroker(LinkedBroker):
    """LISTEN and NOTIFY on the database at `database_url`."""

    def __init__(self, database_url: str, settings: BrokerSettings) -> None:
        super().__init__(settings, pause_seconds=COALESCE_SECONDS)
        self._arguments = _arguments_of(database_url)

    def watch(self, workspace_id: WorkspaceId) -> None:
        """Everything arrives, watched or not."""

    def unwatch(self, workspace_id: WorkspaceId) -> None:
        """Everything arrives, watched or not."""

    async def _connect(self, take: Take) -> Link:
        connection = await asyncpg.connect(**self._arguments)
        link = _PostgresLink(connection, take)
        try:
            await link.listen()
        except BaseException:
            await link.close()
            raise
        return link


class _PostgresLink:
    """A listening connection, which hears itself as long as it lives."""

    def __init__(self, connection: Any, take: Take) -> None:
        self._connection = connection
        self._take = take
        self._turn = asyncio.Lock()
        self._ping = PING + token_hex(8)
        self._heard = asyncio.Event()
        self._lost = asyncio.Event()

    async def listen(self) -> None:
        """Begin to listen, and wait until it is heard."""
        self._connection.add_termination_listener(lambda _: self._lost.set())
        await self._connection.add_listener(CHANNEL, self._hear)
        await self.check()

    async def serve(self) -> None:
        """Wait for the end."""
        await self._lost.wait()
        raise ConnectionResetError("the listening connection has ended")

    async def send(self, outgoing: Sequence[Outgoing]) -> None:
        """One statement for all."""
        await self._notify([data.decode() for _, data in outgoing])

    async def check(self) -> None:
        """Notify itself and wait to hear it."""
        self._heard.clear()
        await self._notify([self._ping])
        await self._heard.wait()

    async def close(self) -> None:
        """End at once: a link that is half open would never answer a farewell."""
        self._connection.terminate()

    async def _notify(self, payloads: list[str]) -> None:
        async with self._turn:
            await self._connection.execute(NOTIFY, payloads)

    def _hear(self, _: object, __: int, ___: str, payload: str) -> None:
        if payload == self._ping:
            self._heard.set()
        elif not payload.startswith(PING):
            self._take(payload.encode())


def _arguments_of(database_url: str) -> dict[str, Any]:
    """How the driver reaches the database, as the engine of the service does."""
    url = asyncpg_url(make_url(database_url))
    _, arguments = url.get_dialect()().create_connect_args(url)
    known = {name: value for name, value in arguments.items() if name not in NOT_OF_THE_DRIVER}
    return known | {"server_settings": POSTGRES_SETTINGS}
