"""What commands share that work on the database beside a server."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from chat_service.config import Config
from chat_service.errors import ServiceError
from chat_service.events.transaction import Database, reading
from chat_service.model import open_engine
from chat_service.model.migrations import is_current

OLD_SCHEMA: Final = 4
Result = TypeVar("Result")


def run(config: Config, task: Callable[[], Awaitable[Result]]) -> Result:
    """Run a task on the configured database, which must have this code's schema."""

    async def work() -> Result:
        database = Database(open_engine(config.database))
        try:
            with database.bound():
                await _require_schema()
                return await task()
        finally:
            await database.engine.dispose()

    try:
        return asyncio.run(work())
    except ServiceError as error:
        print(error.detail, file=sys.stderr)
        sys.exit(1)


async def _require_schema() -> None:
    async with reading() as db:
        current = await is_current(db)
    if not current:
        print("the database has another schema; run: chat-service migrate", file=sys.stderr)
        sys.exit(OLD_SCHEMA)
