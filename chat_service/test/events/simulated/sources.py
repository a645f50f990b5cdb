"""What the feed reads the world through: at once and always, or late and not always."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from random import Random
from typing import Final, TypeVar
from uuid import UUID

from chat_service.events.feed import Head, Item, Row, Side
from chat_service.schema import SessionId, WorkspaceId
from chat_service.test.events.simulated.world import Event, World

Answer = TypeVar("Answer")

FAILED: Final = 0.025
LATE: Final = 0.025


class WorldSource:
    """Reads the world, each answer of one moment; counts what it was asked."""

    def __init__(self, world: World) -> None:
        self.asked: Counter[str] = Counter()
        self.rendered = 0
        self._world = world

    async def head(self, workspace_id: WorkspaceId) -> tuple[int, UUID | None]:
        """Where the log ends."""
        return await self._answer("head", self._world.head)

    async def heads(
        self, workspace_ids: Collection[WorkspaceId]
    ) -> Mapping[WorkspaceId, tuple[int, UUID | None]]:
        """Where the one log ends."""
        return await self._answer(
            "heads", lambda: {workspace_id: self._world.head() for workspace_id in workspace_ids}
        )

    async def read_feed(
        self, workspace_id: WorkspaceId, *, start: int, limit: int
    ) -> Sequence[Row]:
        """Rows by `pos`."""
        return await self._answer("read_feed", lambda: self._world.rows(start, limit))

    async def read_session(
        self,
        workspace_id: WorkspaceId,
        session_id: SessionId,
        side: Side,
        *,
        start: int,
        upto: int,
        limit: int,
    ) -> Sequence[Item]:
        """Events of a session."""
        return await self._answer(
            "read_session",
            lambda: self._world.items(session_id, side, start=start, upto=upto, limit=limit),
        )

    async def session_head(
        self, workspace_id: WorkspaceId, session_id: SessionId, side: Side, position: int
    ) -> Head:
        """What begins at a position."""
        return await self._answer(
            "session_head", lambda: self._world.session_head(session_id, side, position)
        )

    async def render(
        self, workspace_id: WorkspaceId, wanted: Mapping[Side, Sequence[Row]]
    ) -> Mapping[Side, Sequence[Item]]:
        """Events of rows."""
        self.rendered += sum(len(rows) for rows in wanted.values())
        return await self._answer(
            "render", lambda: {side: self._render(rows, side) for side, rows in wanted.items()}
        )

    async def snapshot(
        self, session_id: SessionId, side: Side
    ) -> tuple[Head, tuple[Sequence[Event], Mapping[UUID, int]]]:
        """A session as it is: its head, its events, and how often each message was written."""
        return await self._answer("snapshot", lambda: self._take_snapshot(session_id, side))

    async def _answer(self, what: str, ask: Callable[[], Answer]) -> Answer:
        self.asked[what] += 1
        return ask()

    def _render(self, rows: Sequence[Row], side: Side) -> Sequence[Item]:
        return [self._world.render(row, side) for row in rows if isinstance(row, Event)]

    def _take_snapshot(
        self, session_id: SessionId, side: Side
    ) -> tuple[Head, tuple[Sequence[Event], Mapping[UUID, int]]]:
        rows = list(self._world.view(session_id, side))
        position = rows[-1].number(side) if rows else 0
        versions = {row.message_id: self._world.versions[row.message_id] for row in rows}
        return self._world.session_head(session_id, side, position), (rows, versions)


class UnsteadySource(WorldSource):
    """Takes its time; while `unsteady` 5 % of its answers fail or come seconds late."""

    def __init__(self, world: World, random: Random) -> None:
        super().__init__(world)
        self.unsteady = True
        self.failed = 0
        self.late = 0
        self._random = random

    async def _answer(self, what: str, ask: Callable[[], Answer]) -> Answer:
        fate = self._random.random() if self.unsteady else 1.0
        await asyncio.sleep(self._random.uniform(0.001, 0.02))
        if fate < FAILED:
            self.failed += 1
            raise OSError("the database is not there")
        answer = await super()._answer(what, ask)
        late = fate < FAILED + LATE
        self.late += late
        await asyncio.sleep(self._random.uniform(0.2, 3.0) if late else 0.002)
        return answer
