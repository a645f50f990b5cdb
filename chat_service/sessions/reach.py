"""The views of the agents' list: which sessions stand in one, which come first, how many they are.

A view holds sessions that are not closed and that its reader may see. Owns that rule on values, for
what has just changed, and as SQL; whom a caller may see is for `queries` to say.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, func, literal_column, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.auth import Caller
from chat_service.schema import AgentId, CustomerId, Status, View, WorkspaceId
from chat_service.sessions.queries import SESSIONS, may_see, summaries

VIEWS: Final[tuple[View, ...]] = get_args(View)
COUNTED_AT_MOST: Final = 1_000
ANYBODY: Final = UUID(int=0)
"""Stands for a colleague, and for a customer: an id that nobody has."""
# As text, for the index of unclosed sessions is not chosen by a value that is bound.
UNCLOSED: Final = SESSIONS.c.status != literal_column(f"'{Status.CLOSED}'")
FIRST: Final = (SESSIONS.c.last_activity_at.desc(), SESSIONS.c.id.desc())
"""The order of a view: newest activity first."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The sessions of a view by who holds them; `holders` is None for whoever, None in it nobody."""

    workspace_id: WorkspaceId
    holders: frozenset[UUID | None] | None

    def has(self, assignee_id: UUID | None, status: Status) -> bool:
        """Whether a session with these values stands in the view."""
        if status is Status.CLOSED:
            return False
        return self.holders is None or assignee_id in self.holders

    def rows(self) -> ColumnElement[bool]:
        """The same as SQL."""
        here = and_(SESSIONS.c.workspace_id == self.workspace_id, UNCLOSED)
        if self.holders is None:
            return and_(here, true())
        named = sorted(holder for holder in self.holders if holder is not None)
        rules = [SESSIONS.c.assignee_id.in_(named)]
        if None in self.holders:
            rules.append(SESSIONS.c.assignee_id.is_(None))
        return and_(here, or_(*rules))


def reach_of(caller: Caller, view: View) -> Reach:
    """What a member of staff has in a view."""

    def sees(assignee_id: UUID | None) -> bool:
        return may_see(
            caller,
            workspace_id=caller.workspace_id,
            customer_id=CustomerId(ANYBODY),
            assignee_id=None if assignee_id is None else AgentId(assignee_id),
        )

    if view == "all" and sees(ANYBODY):
        return Reach(caller.workspace_id, None)
    own = UUID(str(caller.actor.id))
    asked: dict[View, list[UUID | None]] = {
        "mine": [own],
        "unassigned": [None],
        "all": [own, None],
    }
    return Reach(caller.workspace_id, frozenset(one for one in asked[view] if sees(one)))


async def first(db: AsyncSession, reach: Reach, *, limit: int) -> Sequence[Row[Any]]:
    """The sessions that come first in a view, with all that is shown of them."""
    query = summaries().where(reach.rows()).order_by(*FIRST).limit(limit)
    found: Sequence[Row[Any]] = (await db.execute(query)).all()
    return found


async def ids_beyond(db: AsyncSession, reach: Reach, *, offset: int, limit: int) -> Sequence[UUID]:
    """The ids of those that come next in a view, behind the first `offset`."""
    query = select(SESSIONS.c.id).where(reach.rows()).order_by(*FIRST).offset(offset).limit(limit)
    return (await db.scalars(query)).all()


@dataclass(frozen=True, slots=True)
class Counts:
    """How many sessions are not closed, by who holds them, None for nobody; each up to 1,000."""

    held: Mapping[UUID | None, int]
    everybodys: int

    def of(self, reach: Reach) -> int:
        """How many of them stand in a view."""
        if reach.holders is None:
            return self.everybodys
        return min(COUNTED_AT_MOST, sum(self.held.get(holder, 0) for holder in reach.holders))


async def count(db: AsyncSession, workspace_id: WorkspaceId, holders: Collection[UUID]) -> Counts:
    """Count the sessions of a workspace: all, those of nobody, those of each of `holders`."""
    here = and_(SESSIONS.c.workspace_id == workspace_id, UNCLOSED)
    waiting = and_(here, SESSIONS.c.assignee_id.is_(None))
    # What one agent holds is little; only what nobody has taken may become much.
    query = (
        select(SESSIONS.c.assignee_id, func.count())
        .where(here, SESSIONS.c.assignee_id.in_(holders))
        .group_by(SESSIONS.c.assignee_id)
    )
    held: dict[UUID | None, int] = {row[0]: row[1] for row in await db.execute(query)}
    held[None] = await _up_to_1_000(db, waiting)
    return Counts(held, await _up_to_1_000(db, here))


async def _up_to_1_000(db: AsyncSession, which: ColumnElement[bool]) -> int:
    found = select(SESSIONS.c.id).where(which).limit(COUNTED_AT_MOST).subquery()
    return await db.scalar(select(func.count()).select_from(found)) or 0
