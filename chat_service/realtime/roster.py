"""Which agents are connected to any process: rows that this process writes for its own and reads.

Owns when rows and the lease are written, and what is remembered of them. Whoever wants to know is
given the rows as they were at the last change that was heard of, at the latest at the last check.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Final, Protocol
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import presence
from chat_service.agents.presence import Present
from chat_service.events.transaction import looking, transaction
from chat_service.realtime.presence import Who
from chat_service.schema import AgentId, Clock, ProcessId, WorkspaceId, new_id

RENEW_SECONDS: Final = 10.0
LEASE: Final = timedelta(seconds=25)
KEPT: Final = timedelta(minutes=1)
"""How long the lease of a dead process is kept."""
RETRY_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class Surroundings(Protocol):
    """What the roster has to know and to tell."""

    def agents_here(self) -> Iterable[Who]:
        """The agents who are connected to this process."""

    def serves(self, workspace_id: WorkspaceId) -> bool:
        """Whether anybody of a workspace is connected to this process."""

    def roster_written(self, workspace_id: WorkspaceId) -> None:
        """Rows of this process have changed."""

    def roster_changed(
        self,
        workspace_id: WorkspaceId,
        before: dict[AgentId, Present],
        after: dict[AgentId, Present],
    ) -> None:
        """Others are connected, or say something else of themselves."""


class Roster:
    """The connected agents of the workspaces that this process serves."""

    def __init__(self, around: Surroundings, clock: Clock, *, grace: float) -> None:
        self.process_id = ProcessId(new_id())
        self._around = around
        self._clock = clock
        self._grace = timedelta(seconds=grace)
        self._known: dict[WorkspaceId, dict[AgentId, Present]] = {}
        self._stale: set[WorkspaceId] = set()
        self._written: set[Who] = set()
        self._renewed_at = float("-inf")
        self._wakeup = asyncio.Event()

    async def of(self, db: AsyncSession, workspace_id: WorkspaceId) -> dict[AgentId, Present]:
        """The connected agents of a workspace."""
        if workspace_id not in self._known:
            found = await presence.online(db, [workspace_id], now=self._clock())
            self._known.setdefault(workspace_id, found[workspace_id])
        return self._known[workspace_id]

    def wake(self) -> None:
        """Agents have come or gone here."""
        self._wakeup.set()

    def stale(self, workspace_id: WorkspaceId) -> None:
        """Read the rows of a workspace again."""
        self._stale.add(workspace_id)
        self._wakeup.set()

    def check(self) -> None:
        """Read all rows again that are remembered, and forget where nobody is here."""
        self._known = {
            each: agents for each, agents in self._known.items() if self._around.serves(each)
        }
        self._stale.update(self._known)
        self._wakeup.set()

    async def run(self) -> None:
        """Write and read what has changed, until cancelled."""
        while True:
            await self._pause()
            try:
                await self._write()
                await self._read()
            except Exception as error:
                log.warning("roster_failed", exc_info=error)
                await asyncio.sleep(RETRY_SECONDS)
                self._wakeup.set()

    async def leave(self) -> None:
        """Let the agents of this process be seen as long as after their last connection."""
        if self._written:
            async with transaction() as db:
                await presence.renew(
                    db, self.process_id, expires_at=self._clock() + min(self._grace, LEASE)
                )

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(RENEW_SECONDS if self._written else None):
                await self._wakeup.wait()
        self._wakeup.clear()

    async def _write(self) -> None:
        """Bring the rows of this process to what is true; its lease goes along."""
        now = asyncio.get_running_loop().time()
        if now - self._renewed_at > LEASE.total_seconds():
            self._written.clear()  # nobody believes them any more: they may be deleted
        here = set(self._around.agents_here())
        for workspace_id in {each for each, _ in here ^ self._written}:
            await self._write_one(workspace_id, here)
        if self._written and now - self._renewed_at >= RENEW_SECONDS:
            async with transaction() as db:
                await self._renew(db)

    async def _write_one(self, workspace_id: WorkspaceId, here: set[Who]) -> None:
        came = {who for who in here - self._written if who[0] == workspace_id}
        gone = {who for who in self._written - here if who[0] == workspace_id}
        async with transaction() as db:
            if came:
                await self._renew(db)
                await presence.come(
                    db, self.process_id, workspace_id, _ids(came), now=self._clock()
                )
            if gone:
                await presence.go(db, self.process_id, workspace_id, _ids(gone))
        self._written = (self._written | came) - gone
        self._stale.add(workspace_id)
        self._around.roster_written(workspace_id)

    async def _renew(self, db: AsyncSession) -> None:
        """The first time, clean up what dead processes left behind."""
        now = self._clock()
        if self._renewed_at == float("-inf"):
            await presence.clean(db, before=now - KEPT)
        await presence.renew(db, self.process_id, expires_at=now + LEASE)
        self._renewed_at = asyncio.get_running_loop().time()

    async def _read(self) -> None:
        """Read what is stale, and tell what is other than before."""
        asked, self._stale = {each for each in self._stale if self._around.serves(each)}, set()
        if not asked:
            return
        try:
            async with looking() as db:
                found = await presence.online(db, asked, now=self._clock())
        except Exception:
            self._stale |= asked
            raise
        for workspace_id, after in found.items():
            before = self._known.get(workspace_id, {})
            self._known[workspace_id] = after
            if before != after:
                self._around.roster_changed(workspace_id, before, after)


def _ids(agents: Iterable[Who]) -> list[AgentId]:
    return [AgentId(UUID(str(actor.id))) for _, actor in agents]
