"""The views of the agents' list: which sessions stand in one, which come first, how many they are.

A view holds sessions that are not closed and that its reader may see. Owns that rule on values, for
what has just changed, and as SQL; whom a caller may see is for `queries` to say.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, get_args
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    ScalarSelect,
    and_,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from chat_service.auth import Caller
from chat_service.model import Team, table_of
from chat_service.schema import AgentId, CustomerId, Permission, Status, View, WorkspaceId
from chat_service.sessions.queries import SESSIONS, may_see, summaries

VIEWS: Final[tuple[View, ...]] = get_args(View)
TEAMS: Final = table_of(Team)
COUNTED_AT_MOST: Final = 1_000
ANYBODY: Final = UUID(int=0)
"""Stands for a colleague, and for a customer: an id that nobody has."""
# As text, for the index of unclosed sessions is not chosen by a value that is bound.
UNCLOSED: Final = SESSIONS.c.status != literal_column(f"'{Status.CLOSED}'")
BEFORE_ALL: Final = datetime(1970, 1, 1, tzinfo=UTC)
ORDERED_BY: Final = (SESSIONS.c.last_activity_at, SESSIONS.c.id)
FIRST: Final = tuple(column.desc() for column in ORDERED_BY)


class found_first(GenericFunction[Any]):
    """A column to sort by that SQLite takes no index for; it would walk through all sessions."""

    inherit_cache = True


@compiles(found_first, "sqlite")
def _on_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(*element.clauses, **options)}"


@compiles(found_first, "postgresql")
def _on_postgresql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    """It plans by statistics."""
    return compiler.process(*element.clauses, **options)


@dataclass(frozen=True, slots=True)
class Reach:
    """The sessions of a view: by who holds them, and besides by their team.

    `holders` is None for whoever, None in it is nobody. Of the `teams`, a view may have those
    sessions alone that some of `team_holders` hold; None is whoever again.
    """

    workspace_id: WorkspaceId
    holders: frozenset[UUID | None] | None
    teams: frozenset[UUID] = frozenset()
    team_holders: frozenset[UUID | None] | None = None

    def has(self, assignee_id: UUID | None, team_id: UUID | None, status: Status) -> bool:
        """Whether a session with these values stands in the view."""
        if status is Status.CLOSED:
            return False
        if self.holders is None or assignee_id in self.holders:
            return True
        return team_id in self.teams and (
            self.team_holders is None or assignee_id in self.team_holders
        )

    def rows(self) -> ColumnElement[bool]:
        """The same as SQL."""
        here = and_(SESSIONS.c.workspace_id == self.workspace_id, UNCLOSED)
        if self.holders is None:
            return and_(here, true())
        rules = held_by(self.holders)
        if not self.teams:
            return and_(here, or_(false(), *rules))
        in_teams: ColumnElement[bool] = SESSIONS.c.team_id.in_(sorted(self.teams))
        if self.team_holders is not None:
            in_teams = and_(in_teams, or_(*held_by(self.team_holders)))
        # Each is a whole condition, for so SQLite finds each by an index of its own; that of unclosed
        # sessions it takes for what looks like a bound on their time.
        held = [and_(rule, SESSIONS.c.last_activity_at > BEFORE_ALL) for rule in rules]
        return or_(*(and_(here, rule) for rule in (*held, in_teams)))

    @property
    def order(self) -> Sequence[ColumnElement[Any]]:
        """Newest activity first. Few sessions are of some teams, so they are found before sorted."""
        if self.teams:
            return [func.found_first(column).desc() for column in ORDERED_BY]
        return FIRST


def held_by(holders: Collection[UUID | None]) -> list[ColumnElement[bool]]:
    """What holds of the sessions that one of these has, None for nobody."""
    named = sorted(holder for holder in holders if holder is not None)
    rules: list[ColumnElement[bool]] = [SESSIONS.c.assignee_id.in_(named)] if named else []
    return [*rules, SESSIONS.c.assignee_id.is_(None)] if None in holders else rules


def reach_of(caller: Caller, view: View) -> Reach:
    """What a member of staff has in a view."""

    def sees(assignee_id: UUID | None) -> bool:
        return may_see(
            caller,
            workspace_id=caller.workspace_id,
            customer_id=CustomerId(ANYBODY),
            assignee_id=None if assignee_id is None else AgentId(assignee_id),
            team_id=None,
        )

    here, own = caller.workspace_id, UUID(str(caller.actor.id))
    if view == "team":
        return Reach(here, frozenset(), frozenset(caller.teams))
    if view == "all" and sees(ANYBODY):
        return Reach(here, None)
    asked: dict[View, frozenset[UUID | None]] = {
        "mine": frozenset({own}),
        "unassigned": frozenset({None}),
        "all": frozenset({own, None}),
    }
    seen = frozenset(one for one in asked[view] if sees(one))
    if Permission.SESSIONS_READ_TEAM not in caller.permissions or not caller.teams:
        return Reach(here, seen)
    if view == "all":
        return Reach(here, seen, frozenset(caller.teams))
    # Own and waiting sessions that he sees for their team alone.
    only = asked[view] - seen
    return Reach(here, seen, frozenset(caller.teams), only) if only else Reach(here, seen)


async def first(db: AsyncSession, reach: Reach, *, limit: int) -> Sequence[Row[Any]]:
    """The sessions that come first in a view, with all that is shown of them."""
    query = summaries().where(reach.rows()).order_by(*reach.order).limit(limit)
    found: Sequence[Row[Any]] = (await db.execute(query)).all()
    return found


async def ids_beyond(db: AsyncSession, reach: Reach, *, offset: int, limit: int) -> Sequence[UUID]:
    """The ids of those that come next in a view, behind the first `offset`."""
    query = select(SESSIONS.c.id).where(reach.rows()).order_by(*reach.order)
    return (await db.scalars(query.offset(offset).limit(limit))).all()


Held = Mapping[UUID | None, int]
"""How many sessions somebody holds, None for nobody."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many sessions are not closed, by who holds them, and by team and who; each up to 1,000."""

    held: Held
    everybodys: int
    in_teams: Mapping[UUID, Held] = field(default_factory=dict)

    def of(self, reach: Reach) -> int:
        """How many of them stand in a view; one that is there twice counts once."""
        if reach.holders is None:
            return self.everybodys
        found = sum(self.held.get(holder, 0) for holder in reach.holders)
        for team in reach.teams:
            found += _others(self.in_teams.get(team, {}), reach.holders, reach.team_holders)
        return min(COUNTED_AT_MOST, found)


def _others(
    held: Held, counted: Collection[UUID | None], among: Collection[UUID | None] | None
) -> int:
    """How many sessions of a team are held by others than those who were counted."""
    if among is None:
        return sum(held.values()) - sum(held.get(holder, 0) for holder in counted)
    return sum(held.get(holder, 0) for holder in among if holder not in counted)


async def count(db: AsyncSession, workspace_id: WorkspaceId, reaches: Collection[Reach]) -> Counts:
    """Count the sessions of a workspace, as far as the sizes of these views go by it."""
    here = and_(SESSIONS.c.workspace_id == workspace_id, UNCLOSED)
    holders = {holder for reach in reaches for holder in reach.holders or () if holder}
    teams = {team for reach in reaches for team in reach.teams}
    # What one agent holds is little; only what nobody has taken may become much.
    query = (
        select(SESSIONS.c.assignee_id, func.count())
        .where(here, SESSIONS.c.assignee_id.in_(holders))
        .group_by(SESSIONS.c.assignee_id)
    )
    held: dict[UUID | None, int] = {row[0]: row[1] for row in await db.execute(query)}
    held[None] = await _up_to_1_000(db, and_(here, SESSIONS.c.assignee_id.is_(None)))
    in_teams = await _count_in_teams(db, workspace_id, teams) if teams else {}
    return Counts(held, await _up_to_1_000(db, here), in_teams)


async def _count_in_teams(
    db: AsyncSession, workspace_id: WorkspaceId, teams: Collection[UUID]
) -> dict[UUID, dict[UUID | None, int]]:
    """How many sessions of each team each agent holds, and how many nobody does."""
    query = (
        select(SESSIONS.c.team_id, SESSIONS.c.assignee_id, func.count())
        .where(
            SESSIONS.c.workspace_id == workspace_id,
            UNCLOSED,
            SESSIONS.c.team_id.in_(teams),
            SESSIONS.c.assignee_id.is_not(None),
        )
        .group_by(SESSIONS.c.team_id, SESSIONS.c.assignee_id)
    )
    found: dict[UUID, dict[UUID | None, int]] = {team: {} for team in teams}
    for team, holder, number in await db.execute(query):
        found[team][holder] = number
    waiting = select(TEAMS.c.id, _waiting_of_a_team()).where(
        TEAMS.c.workspace_id == workspace_id, TEAMS.c.id.in_(teams)
    )
    for team, number in await db.execute(waiting):
        found[team][None] = number
    return found


def _waiting_of_a_team() -> ScalarSelect[int]:
    """How many sessions of a team wait, up to the most that is counted."""
    counted = (
        select(literal(1))
        .where(
            SESSIONS.c.workspace_id == TEAMS.c.workspace_id,
            SESSIONS.c.team_id == TEAMS.c.id,
            SESSIONS.c.assignee_id.is_(None),
            UNCLOSED,
        )
        .limit(COUNTED_AT_MOST)
        .correlate(TEAMS)
        .subquery()
    )
    return select(func.count()).select_from(counted).scalar_subquery()


async def _up_to_1_000(db: AsyncSession, which: ColumnElement[bool]) -> int:
    found = select(SESSIONS.c.id).where(which).limit(COUNTED_AT_MOST).subquery()
    return await db.scalar(select(func.count()).select_from(found)) or 0
