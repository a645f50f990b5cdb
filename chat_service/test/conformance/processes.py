"""Processes of their own beside a service under test: `chat-service serve` as anybody starts it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from chat_service.config import Config
from chat_service.test.faults.victim import Victim


@asynccontextmanager
async def serving(config: Config, **settings: str) -> AsyncIterator[Victim]:
    """A process on the database, the broker and the secret key of a configuration."""
    own = {
        "DATABASE_PROFILE": config.database.profile,
        "BROKER_URL": config.broker.url,
        "AUTH_RECHECK_SECONDS": str(config.auth.recheck_seconds),
        "REALTIME_HEAD_CHECK_SECONDS": str(config.realtime.head_check_seconds),
    }
    folder = Path(config.auth.secret_key_file).parent
    victim = Victim(config.database.url, folder, own | settings)
    await victim.start()
    try:
        yield victim
    finally:
        victim.kill()
