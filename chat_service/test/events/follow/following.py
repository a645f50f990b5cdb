"""Followers to be told of a log, and what they leave behind."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.app import Service, create_app
from chat_service.events.follow import Follower, Followers, Pace
from chat_service.events.readers import DEAD, READERS
from chat_service.model import migrations
from chat_service.schema import Clock, ProcessId, WorkspaceId, new_id, utc_now
from chat_service.test.builders import Workspace, writing
from chat_service.test.conftest import config_of
from chat_service.test.events.logs import head_of, record_facts, snapshot, stored

HURRIED: Final = Pace(check=0.05, rest=0.01, pause=0.001, lease=5.0)
DEAF: Final = Pace(check=3600, rest=0.01, pause=0.001, lease=5.0)
"""Finds nothing by itself after its start."""
SLOW_TO_RETRY: Final = Pace(check=0.05, rest=0.01, pause=3600, lease=7200)
PATIENCE: Final = 20.0
FACTS: Final = frozenset({"token.revoked"})
"""What `logs.record_facts` lets happen."""
Told = Callable[[AsyncSession, Sequence[Row[Any]]], Awaitable[None]]


@dataclass
class Diary:
    """A follower that notes what it is told, and `then` does what it is asked to in one workspace."""

    home: Workspace
    then: Told | None = None
    types: frozenset[str] = FACTS
    name: str = "diary"
    """The same in every test: in their workspaces it has read everything."""
    told: dict[WorkspaceId, list[list[int]]] = field(default_factory=dict)
    """Positions, as they came, also those whose effect was undone."""

    async def handle(self, db: AsyncSession, events: Sequence[Row[Any]]) -> None:
        """Note first."""
        workspace_id = events[0].workspace_id
        self.told.setdefault(workspace_id, []).append([row.pos for row in events])
        if self.then is not None and workspace_id == self.home.id:
            await self.then(db, events)

    def positions(self, workspace: Workspace) -> list[int]:
        """What it was told of a workspace."""
        return [pos for batch in self.told.get(workspace.id, []) for pos in batch]


@asynccontextmanager
async def unserved(url: str, folder: Path, clock: Clock = utc_now) -> AsyncIterator[Service]:
    """A service on a database of its own, which serves nobody: nobody follows its log yet."""
    service = create_app(config_of(url, folder), clock=clock)
    await migrations.upgrade(service.database.engine)
    yield service
    await service.database.engine.dispose()


@asynccontextmanager
async def following(
    service: Service,
    *followers: Follower,
    clock: Clock = utc_now,
    process_id: UUID | None = None,
    alone: bool = False,
    pace: Pace = HURRIED,
) -> AsyncIterator[Followers]:
    """A process that follows the logs of a service, as long as the block runs."""
    running = Followers(followers, clock, ProcessId(process_id or new_id()), alone=alone, pace=pace)
    with service.database.bound():
        task = asyncio.create_task(running.run())
        try:
            yield running
        finally:
            task.cancel()
            await asyncio.wait([task])
    assert task.cancelled(), "it ends by nothing else"


async def grow(workspace: Workspace, count: int) -> int:
    """Let so many things happen; where the log ends then."""
    await record_facts(workspace, count)
    return (await head_of(workspace)).pos


async def facts_of(workspace: Workspace) -> list[int]:
    """Where they stand in the log."""
    return [row.pos for row in await stored(workspace) if row.type == "token.revoked"]


async def reader(workspace: Workspace, follower: Follower) -> Row[Any] | None:
    """The row of a follower in a workspace."""
    query = select(READERS).where(
        READERS.c.workspace_id == workspace.id, READERS.c.reader == follower.name
    )
    async with snapshot(workspace.service) as db:
        return (await db.execute(query)).one_or_none()


async def change_reader(workspace: Workspace, follower: Follower, **values: Any) -> None:
    """Set columns of that row."""
    query = update(READERS).where(
        READERS.c.workspace_id == workspace.id, READERS.c.reader == follower.name
    )
    async with writing(workspace.service) as db:
        await db.execute(query.values(values))


async def passed_by(workspace: Workspace, follower: Follower) -> Sequence[Row[Any]]:
    """The events that a follower could not handle."""
    query = select(DEAD).where(DEAD.c.workspace_id == workspace.id, DEAD.c.reader == follower.name)
    async with snapshot(workspace.service) as db:
        return (await db.execute(query.order_by(DEAD.c.pos))).all()


async def caught_up(workspace: Workspace, follower: Follower, pos: int) -> None:
    """Wait until a follower has read so far."""

    async def has() -> bool:
        row = await reader(workspace, follower)
        return row is not None and row.pos >= pos

    await eventually(has)


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE):
        while not await holds():
            await asyncio.sleep(0.01)
