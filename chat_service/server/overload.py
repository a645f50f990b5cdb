"""What is refused first where there is more than can be done: who is new, then customers, then staff.

Owns that order, and the measure of how late the event loop is. How full a lane is, is known to its owner.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from chat_service import metrics
from chat_service.errors import Overloaded
from chat_service.schema import WorkspaceId

SAMPLE_SECONDS: Final = 0.1
NEWCOMERS: Final = 0.5
"""Up to so full may a lane be for new customers and sessions."""
CUSTOMERS: Final = 0.75
"""Up to so full for messages of customers; those of staff may fill it."""


class Lateness:
    """How late the event loop does what is due, as of the last tenth of a second."""

    seconds: float = 0.0

    async def run(self) -> None:
        """Measure again and again."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + SAMPLE_SECONDS
            await asyncio.sleep(SAMPLE_SECONDS)
            self.seconds = loop.time() - due


class Overload:
    """Who is let in no more."""

    def __init__(
        self, filled: Callable[[WorkspaceId], float], lateness: Lateness, *, late_seconds: float
    ) -> None:
        """`filled` tells what part of a workspace's lane is taken, from 0 to 1."""
        self._filled = filled
        self._lateness = lateness
        self._late_seconds = late_seconds

    def refuse_newcomers(self, workspace_id: WorkspaceId) -> None:
        """Refuse a new customer, or a customer's new session, where others wait; raises Overloaded."""
        late = self._lateness.seconds >= self._late_seconds
        if late or self._filled(workspace_id) > NEWCOMERS:
            metrics.OVERLOADED.labels("newcomers").inc()
            raise Overloaded("Too much waits for anybody new")
