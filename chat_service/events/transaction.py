"""The doors to the database: `reading()`, `looking()` and `transaction()`.

Owns when a transaction begins and ends, the one queue of writers on SQLite, and what a fault of the
database means for the caller. `transaction()` alone appends to the log: when its block ends it takes
`feed_head`, inserts what was recorded and commits, with no application code in between.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from time import perf_counter
from typing import Final, cast

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.pool import QueuePool

from chat_service import metrics
from chat_service.errors import DatabaseUnavailable, ServiceError, StorageFull
from chat_service.events import log
from chat_service.events.source import Growth
from chat_service.model import Kind, is_sqlite, open_sessionmaker

TURN_SECONDS: Final = 5.0
"""How long a writer waits for its turn on SQLite, as long as for a lock that another program has."""
SQLITE_FULL: Final = 13
# busy, locked, read-only, I/O error, corrupt, cannot open, not a database
SQLITE_UNAVAILABLE: Final = {5, 6, 8, 10, 11, 14, 26}
DISK_FULL: Final = "53100"
DEADLOCK: Final = {"40P01", "40001"}
# lock and statement time-outs
TOO_LATE: Final = {"55P03", "57014", "25P03", "25P04"}
# ended by the server, connection lost, out of memory or connections, I/O error
UNAVAILABLE: Final = ("57P", "08", "53", "58")


class Deadlock(DatabaseUnavailable):
    """The database chose this transaction to end a deadlock; the whole may be tried again."""


class Database:
    """One database as this process uses it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.readers = open_sessionmaker(engine, Kind.SNAPSHOT)
        self.lookers = open_sessionmaker(engine, Kind.LOOK)
        self.writers = open_sessionmaker(engine, Kind.WRITE)
        self.grown: Callable[[Growth], None] = _nobody
        """Told of each commit that made a log longer; must not fail."""
        # SQLite's own busy handler polls and is not fair; writers queue here, first come first.
        self._turn = asyncio.Lock() if is_sqlite(engine) else None

    @property
    def in_use(self) -> int:
        """How many connections are in use."""
        return cast(QueuePool, self.engine.pool).checkedout()

    @asynccontextmanager
    async def taking_turn(self) -> AsyncIterator[None]:
        """Write alone, on SQLite; raises DatabaseUnavailable where the turn comes too late."""
        if self._turn is None:
            yield
            return
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._turn.acquire()
        except TimeoutError:
            raise DatabaseUnavailable() from None
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def bound(self) -> Iterator[None]:
        """Make this the database that `reading()` and `transaction()` use in this context."""
        before = _database.set(self)
        try:
            yield
        finally:
            _database.reset(before)


def _nobody(_: Growth) -> None:
    """Without a hub nobody waits for events."""


_database: ContextVar[Database] = ContextVar("database")
_inside: ContextVar[bool] = ContextVar("inside a transaction", default=False)


def inside_transaction() -> bool:
    """Whether the caller runs inside a `transaction()` block."""
    return _inside.get()


@asynccontextmanager
async def reading() -> AsyncIterator[AsyncSession]:
    """A snapshot of the database; writing in it fails. Raises DatabaseUnavailable."""
    with _faults():
        async with _database.get().readers() as db:
            yield db


@asynccontextmanager
async def looking() -> AsyncIterator[AsyncSession]:
    """As `reading`, but each statement sees its own moment, which saves two round trips.

    For a single statement, or where what is read later may be newer.
    """
    with _faults():
        async with _database.get().lookers() as db:
            yield db


@asynccontextmanager
async def transaction() -> AsyncIterator[AsyncSession]:
    """A change that is made whole or not at all, durable when the block has ended.

    Raises DatabaseUnavailable or StorageFull; after DatabaseUnavailable the change may have been
    made all the same, and a repeat with the same key finds out.
    """
    database = _database.get()
    with _faults():
        async with database.taking_turn(), database.writers() as db:
            before = _inside.set(True)
            try:
                yield db
                await db.flush()
                grown = await log.append(db)
                began = perf_counter()
                await db.commit()
                lasted = perf_counter() - began
            finally:
                _inside.reset(before)
        if grown is not None:
            database.grown(grown)
            metrics.COMMIT_SECONDS.observe(lasted)


@contextmanager
def _faults() -> Iterator[None]:
    """Turn faults of the database into what a caller may see; faults of data pass unchanged."""
    try:
        yield
    except (DBAPIError, PoolTimeout, OSError) as error:
        meaning = _meaning(error)
        if meaning is None:
            raise
        raise meaning from error


def _meaning(error: Exception) -> ServiceError | None:
    if not isinstance(error, DBAPIError):
        return DatabaseUnavailable()
    state = getattr(error.orig, "sqlstate", None) or ""
    if state in DEADLOCK:
        return Deadlock()
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    if state == DISK_FULL or code == SQLITE_FULL:
        return StorageFull()
    lost = error.connection_invalidated or state in TOO_LATE or state.startswith(UNAVAILABLE)
    return DatabaseUnavailable() if lost or code in SQLITE_UNAVAILABLE else None
