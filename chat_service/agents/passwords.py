"""Passwords: argon2id (RFC 9106), hashed off the event loop, at most two at a time.

A hash takes about 19 MiB, so a hundred at once would take two gigabytes.
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from chat_service import metrics
from chat_service.config import Auth
from chat_service.errors import Overloaded

AT_ONCE: Final = 2
WAITING_AT_MOST: Final = 64


Result = TypeVar("Result")


class Passwords:
    """Hashes and checks passwords with the cost of the configuration.

    Raises Overloaded where too many wait.
    """

    def __init__(self, config: Auth) -> None:
        self._hasher = PasswordHasher(
            time_cost=config.hash_rounds, memory_cost=config.hash_memory_kib, parallelism=1
        )
        self._places = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """The text to store; its form carries the cost."""
        return await self._apart(self._hasher.hash, password)

    async def fits(self, stored: str | None, password: str) -> bool:
        """Whether a password is the stored one. Without one it takes as long and is False."""
        fits = await self._apart(self._verify, stored or self._nobody, password)
        return fits and stored is not None

    async def _apart(self, work: Callable[..., Result], *given: str) -> Result:
        if self._waiting >= WAITING_AT_MOST:
            metrics.PASSWORDS_FULL.inc()
            raise Overloaded()
        self._waiting += 1
        try:
            async with self._places:
                return await asyncio.to_thread(work, *given)
        finally:
            self._waiting -= 1

    def is_outdated(self, stored: str) -> bool:
        """Whether the cost has been raised since this was stored."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
