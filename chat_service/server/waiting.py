"""What a connection waits by, without the kilobytes that asyncio's own queue and event weigh empty.

Most connections of a live service are idle: what each of them holds is what the service weighs.
"""

import asyncio
from typing import Any


class Gate:
    """Open or shut; as `asyncio.Event`."""

    __slots__ = ("_is_open", "_waiting")

    def __init__(self) -> None:
        """Open."""
        self._is_open = True
        self._waiting: asyncio.Future[None] | None = None

    def is_set(self) -> bool:
        """Whether it is open."""
        return self._is_open

    def set(self) -> None:
        """Open it, and let everybody pass who waits."""
        self._is_open = True
        if self._waiting is not None:
            self._waiting.set_result(None)
            self._waiting = None

    def clear(self) -> None:
        """Shut it."""
        self._is_open = False

    async def wait(self) -> None:
        """Pass as soon as it is open."""
        while not self._is_open:
            if self._waiting is None:
                self._waiting = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._waiting)


class Mailbox:
    """What waits for its one reader; as far as it goes as `asyncio.Queue`."""

    __slots__ = ("_waiting", "_filled")

    def __init__(self) -> None:
        self._waiting: list[Any] = []
        self._filled: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        """How much waits."""
        return len(self._waiting)

    def put_nowait(self, thing: Any) -> None:
        """Have something wait behind the others."""
        self._waiting.append(thing)
        if self._filled is not None and not self._filled.done():
            self._filled.set_result(None)

    async def get(self) -> Any:
        """Take what has waited longest; wait for it where nothing does."""
        while not self._waiting:
            self._filled = asyncio.get_running_loop().create_future()
            try:
                await self._filled
            finally:
                self._filled = None
        return self._waiting.pop(0)
