"""To ask until there is an answer: how live readers live through a database that does not answer."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import structlog

from chat_service.errors import ServiceError

RETRY_SECONDS: Final = 0.3
"""After a failed read."""

Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)


class Left(Exception):
    """Who asked does not want to know any more."""


async def persist(ask: Callable[[], Awaitable[Answer]], sleep: Callable[[float], Any]) -> Answer:
    """Ask until there is an answer; raises only Left, or a ServiceError that no repeat can help."""
    while True:
        try:
            return await ask()
        except Left:
            raise
        except Exception as error:
            if isinstance(error, ServiceError) and not error.retryable:
                raise
            log.warning("live_read_failed", exc_info=error)
        await sleep(RETRY_SECONDS)
