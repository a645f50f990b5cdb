"""The rows of followers: how far each has read, who reads for it now, and what it passed by.

Owns the SQL on `feed_readers` and `dead_events`. When a row is locked, and what happens under the
lock, is decided by `turns`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Row,
    and_,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.events.log import EVENTS, HEAD
from chat_service.model import DeadEvent, FeedReader, table_of
from chat_service.schema import ProcessId, ReaderStatus, WorkspaceId

READERS: Final = table_of(FeedReader)
DEAD: Final = table_of(DeadEvent)
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Claim:
    """Which leases a process may take at one moment: free ones, ended ones, its own.

    One that is `alone` on its database takes them all: whoever held them is dead. A lease that ends
    later than any could was given by a clock that went wrong, and is none.
    """

    process_id: ProcessId
    now: datetime
    lease: timedelta
    alone: bool

    @property
    def until(self) -> datetime:
        """When a lease ends that is taken or renewed now."""
        return self.now + self.lease

    def allows(self, row: Row[Any]) -> bool:
        """Whether the process may work for the follower of a row."""
        if self.alone or row.owner in (None, self.process_id):
            return True
        return not self.now < row.leased_until <= self._last

    def as_sql(self) -> ColumnElement[bool]:
        """The same rule for rows that are not read yet."""
        if self.alone:
            return true()
        return or_(
            READERS.c.owner.is_(None),
            READERS.c.owner == self.process_id,
            READERS.c.leased_until <= self.now,
            READERS.c.leased_until > self._last,
        )

    @property
    def _last(self) -> datetime:
        return self.now + 2 * self.lease


async def unread(
    db: AsyncSession, names: Sequence[str], claim: Claim, *, limit: int
) -> list[tuple[WorkspaceId, str]]:
    """Where a follower of these names has something to read, and a process may do it.

    A follower that has no row in a workspace yet has read nothing there. Those that nobody has
    worked on for longest come first. One query over all workspaces.
    """
    followers = union_all(*(select(literal(name).label("name")) for name in names)).subquery()
    own = and_(READERS.c.workspace_id == HEAD.c.workspace_id, READERS.c.reader == followers.c.name)
    takes = and_(READERS.c.status == ReaderStatus.ACTIVE, claim.as_sql())
    query = (
        select(HEAD.c.workspace_id, followers.c.name)
        .select_from(HEAD)
        .join(followers, true())
        .outerjoin(READERS, own)
        .where(
            HEAD.c.pos > func.coalesce(READERS.c.pos, 0),
            or_(READERS.c.reader.is_(None), takes),
        )
        .order_by(READERS.c.leased_until.nulls_first())
        .limit(limit)
    )
    return [(row.workspace_id, row.name) for row in await db.execute(query)]


async def lock(db: AsyncSession, workspace_id: WorkspaceId, name: str) -> Row[Any] | None:
    """Lock a follower's row, the first lock of its transaction.

    None where there is no row, or somebody else has it: whoever works there needs no help.
    """
    query = select(READERS).where(_one(workspace_id, name))
    return (await db.execute(query.with_for_update(key_share=True, skip_locked=True))).first()


async def make(db: AsyncSession, workspace_id: WorkspaceId, name: str) -> bool:
    """Let a follower begin with the first event that is kept; False if it has begun before.

    That is the first of all, as long as retention has removed none.
    """
    floor = await db.scalar(select(HEAD.c.floor).where(HEAD.c.workspace_id == workspace_id))
    insert_new = insert_sqlite if db.get_bind().dialect.name == "sqlite" else insert_postgres
    new = insert_new(READERS).values(
        workspace_id=workspace_id,
        reader=name,
        pos=floor,
        status=ReaderStatus.ACTIVE,
        owner=None,
        leased_until=None,
    )
    made = await db.execute(new.on_conflict_do_nothing().returning(READERS.c.reader))
    return made.first() is not None


async def store(db: AsyncSession, workspace_id: WorkspaceId, name: str, **values: Any) -> None:
    """Change a follower's row, which is locked."""
    await db.execute(update(READERS).where(_one(workspace_id, name)).values(values))


async def bury(
    db: AsyncSession, workspace_id: WorkspaceId, name: str, *, pos: int, error: str, tries: int
) -> None:
    """Keep what a follower passes by."""
    row = {"workspace_id": workspace_id, "reader": name, "pos": pos}
    await db.execute(insert(DEAD).values(row | {"error": error, "tries": tries}))


async def release(
    db: AsyncSession,
    workspace_ids: Collection[WorkspaceId],
    process_id: ProcessId,
    *,
    now: datetime,
) -> None:
    """End the leases of a process in some workspaces."""
    own = and_(READERS.c.workspace_id.in_(workspace_ids), READERS.c.owner == process_id)
    await db.execute(update(READERS).where(own).values(owner=None, leased_until=now))


async def went_on_without(
    db: AsyncSession, workspace_id: WorkspaceId, first: Row[Any], *, now: datetime
) -> bool:
    """Whether things happened for days after an event that is still unread, before today.

    A service that was off for weeks has missed nothing: it has only not been there.
    """
    later = and_(
        EVENTS.c.workspace_id == workspace_id,
        EVENTS.c.pos > first.pos,
        EVENTS.c.created_at.between(first.created_at + DAY, now - DAY),
    )
    return bool(await db.scalar(select(exists().where(later))))


def _one(workspace_id: WorkspaceId, name: str) -> ColumnElement[bool]:
    return and_(READERS.c.workspace_id == workspace_id, READERS.c.reader == name)
