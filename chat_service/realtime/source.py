"""What the live reader reads of the database: rows of the log, and events rendered for one side."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from chat_service.events.log import EVENTS, HEAD, Stream
from chat_service.events.source import Head, Item
from chat_service.events.source import Row as FeedRow
from chat_service.events.source import Side, number_of
from chat_service.events.transaction import looking, reading
from chat_service.realtime.gathering import Gathering
from chat_service.realtime.heads import Beginning, session_heads
from chat_service.schema import CursorKind, SessionId, WorkspaceId, fence
from chat_service.views.rendering import Resources, envelope, read_resources

KINDS = {Side.STAFF: CursorKind.STAFF, Side.CUSTOMER: CursorKind.PUBLIC}


@dataclass(frozen=True, slots=True)
class Audience:
    """Whoever reads a workspace from one side."""

    workspace_id: WorkspaceId
    is_customer: bool


class LogSource:
    """The `events.source.Source` of the service: each answer is of one snapshot of the database."""

    def __init__(self) -> None:
        self._heads = Gathering(_heads_of)

    async def head(self, workspace_id: WorkspaceId) -> tuple[int, UUID | None]:
        """Where a workspace's log ends."""
        return (await self.heads([workspace_id])).get(workspace_id, (0, None))

    async def heads(
        self, workspace_ids: Collection[WorkspaceId]
    ) -> Mapping[WorkspaceId, tuple[int, UUID | None]]:
        """The same of many, in one query."""
        query = select(HEAD.c.workspace_id, HEAD.c.pos, HEAD.c.last_id).where(
            HEAD.c.workspace_id.in_(workspace_ids)
        )
        async with looking() as db:
            return {row.workspace_id: (row.pos, row.last_id) for row in await db.execute(query)}

    async def read_feed(
        self, workspace_id: WorkspaceId, *, start: int, limit: int
    ) -> Sequence[FeedRow]:
        """The rows from `pos` `start` on."""
        query = (
            select(EVENTS)
            .where(EVENTS.c.workspace_id == workspace_id, EVENTS.c.pos >= start)
            .order_by(EVENTS.c.pos)
            .limit(limit)
        )
        async with looking() as db:
            return (await db.execute(query)).all()

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
        """The events with numbers from `start` to `upto`, rendered."""
        stream = Stream(KINDS[side], workspace_id, session_id)
        query = (
            select(EVENTS)
            .where(stream.rows(), stream.number >= start, stream.number <= upto)
            .order_by(stream.number)
            .limit(limit)
        )
        async with reading() as db:
            rows = (await db.execute(query)).all()
            return _items(side, rows, await read_resources(db, workspace_id, rows))

    async def session_head(
        self, workspace_id: WorkspaceId, session_id: SessionId, side: Side, position: int
    ) -> Head:
        """What begins at a position."""
        return await self._heads.ask((workspace_id, session_id, side, position))

    async def render(
        self, workspace_id: WorkspaceId, wanted: Mapping[Side, Sequence[FeedRow]]
    ) -> Mapping[Side, Sequence[Item]]:
        """The events of rows, with their resources as they are now or a moment later."""
        every: list[Any] = [row for rows in wanted.values() for row in rows]
        async with looking() as db:
            found = await read_resources(db, workspace_id, every)
        return {side: _items(side, rows, found) for side, rows in wanted.items()}


async def _heads_of(beginnings: Sequence[Beginning]) -> dict[Beginning, Head]:
    async with reading() as db:
        return await session_heads(db, beginnings)


def _items(side: Side, rows: Sequence[Any], found: Resources) -> list[Item]:
    """Rows of any sessions as the events of a side, each serialised once."""
    return [_item(side, number, row, found) for row in rows if (number := number_of(row, side))]


def _item(side: Side, number: int, row: Any, found: Resources) -> Item:
    viewer = Audience(row.workspace_id, side is Side.CUSTOMER)
    shown = envelope(viewer, KINDS[side], row, found)
    return Item(number, fence(row.id), shown.model_dump_json(by_alias=True).encode(), row)
