"""Lists of sessions: filters, sorts, and cursors that hold the place in a sorted list.

A cursor carries the sort value and id of the row it stands on, its direction, and a hash of the
filters, so that pages neither skip nor repeat a row that keeps its place.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from uuid import UUID

import orjson
from pydantic import AwareDatetime, Field, TypeAdapter, field_validator
from sqlalchemy import ColumnElement, Row, and_, func, or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from chat_service.auth import Caller
from chat_service.errors import CursorFilterMismatch, CursorInvalid, Forbidden, UnsupportedSort
from chat_service.model import ChatSession
from chat_service.schema import Channel, Priority, Status, View
from chat_service.sessions.queries import summaries, visible_to
from chat_service.transport import Moment, PageLinks, Query, Text, words_of

SORTS: Final = {
    "-last_activity_at": (ChatSession.last_activity_at, True),
    "created_at": (ChatSession.created_at, False),
    "-created_at": (ChatSession.created_at, True),
    "waiting_since": (ChatSession.waiting_since, False),
}
ASSIGNEE: Final = "^(me|none|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$"
MOST: Final = 200
STAFF_FILTERS: Final = (
    "view",
    "assignee_id",
    "team_id",
    "inbox_id",
    "customer_id",
    "tag",
    "priority",
)
_TIME: Final = TypeAdapter[datetime](AwareDatetime)


class SessionQuery(Query):
    """Filters of a list: values joined by commas are alternatives, filters are joined by AND."""

    filters: ClassVar = (
        "status",
        "assignee_id",
        "team_id",
        "inbox_id",
        "customer_id",
        "tag",
        "priority",
        "channel",
        "updated_after",
    )

    view: View = Field(default="all", description="`team`: those of the caller's teams.")
    status: str | None = Field(default=None, pattern=words_of(Status), examples=["queued,open"])
    assignee_id: str | None = Field(
        default=None, pattern=ASSIGNEE, description="`me`, `none` or an agent's id."
    )
    team_id: UUID | None = None
    inbox_id: UUID | None = None
    customer_id: UUID | None = None
    tag: Text | None = Field(default=None, max_length=128)
    priority: str | None = Field(default=None, pattern=words_of(Priority), examples=["high"])
    channel: Channel | None = None
    updated_after: Moment | None = None
    sort: str = Field(default="-last_activity_at", json_schema_extra={"enum": list(SORTS)})
    limit: int = Field(default=50, ge=1)
    cursor: str | None = Field(default=None, max_length=512)

    @field_validator("updated_after")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        return value if value is None else _to_utc(value)


def _to_utc(value: datetime) -> datetime:
    """The same moment in UTC; raises ValueError where that has no year from 1 to 9999."""
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range") from None


class has_element(GenericFunction[bool]):
    """Whether a JSON list of strings holds a string, on both databases."""

    inherit_cache = True


@compiles(has_element, "sqlite")
def _on_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    column, value = (compiler.process(clause, **options) for clause in element.clauses)
    return f"EXISTS (SELECT 1 FROM json_each({column}) WHERE json_each.value = {value})"


@compiles(has_element, "postgresql")
def _on_postgresql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    column, value = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} ? {value})"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: beyond this row, forwards or backwards in the list's order."""

    value: datetime
    id: UUID
    forwards: bool


async def page(
    db: AsyncSession, caller: Caller, query: SessionQuery
) -> tuple[Sequence[Row[Any]], PageLinks]:
    """One page of the sessions a caller may see, and the cursors to go on."""
    if query.sort not in SORTS:
        raise UnsupportedSort(f"must be one of {', '.join(SORTS)}")
    by_staff_field = query.sort == "waiting_since" or set(STAFF_FILTERS) & query.model_fields_set
    if caller.is_customer and by_staff_field:
        raise Forbidden("Only staff may filter or sort by that")
    column, descending = SORTS[query.sort]
    place = _parse(query) if query.cursor is not None else None
    forwards = place is None or place.forwards
    downwards = descending is forwards
    statement = summaries().where(visible_to(caller), *_conditions(caller, query))
    if query.sort == "waiting_since":
        statement = statement.where(column.is_not(None))
    if place is not None:
        statement = statement.where(_beyond(column, place, downwards=downwards))
    order = [key.desc() if downwards else key.asc() for key in (column, ChatSession.id)]
    limit = min(query.limit, MOST)
    found = (await db.execute(statement.order_by(*order).limit(limit + 1))).all()
    rows, more = list(found[:limit]), len(found) > limit
    if not forwards:
        rows.reverse()
    return rows, _links(query, rows, more=more, place=place)


def _beyond(column: Any, place: Place, *, downwards: bool) -> ColumnElement[bool]:
    if downwards:
        nearer = column < place.value
        return or_(nearer, and_(column == place.value, ChatSession.id < place.id))
    nearer = column > place.value
    return or_(nearer, and_(column == place.value, ChatSession.id > place.id))


def _conditions(caller: Caller, query: SessionQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.status is not None:
        conditions.append(ChatSession.status.in_(_statuses(caller, query.status)))
    if query.priority is not None:
        words = [Priority(word) for word in query.priority.split(",")]
        conditions.append(ChatSession.priority.in_(words))
    if query.tag is not None:
        conditions.append(func.has_element(ChatSession.tags, query.tag))
    for name in ("team_id", "inbox_id", "customer_id", "channel"):
        value = getattr(query, name)
        if value is not None:
            conditions.append(getattr(ChatSession, name) == value)
    if query.updated_after is not None:
        moved = ChatSession.last_activity_at if caller.is_customer else ChatSession.updated_at
        conditions.append(moved > query.updated_after)
    return conditions + _held_by(caller, query)


def _statuses(caller: Caller, text: str) -> set[Status]:
    """Customers know three states; what they call open may be resting."""
    wanted = {Status(word) for word in text.split(",")}
    resting = {Status.PENDING, Status.SNOOZED}
    if not caller.is_customer:
        return wanted
    return (wanted - resting) | (resting if Status.OPEN in wanted else set())


def _held_by(caller: Caller, query: SessionQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.view == "mine" or query.assignee_id == "me":
        conditions.append(ChatSession.assignee_id == caller.actor.id)
    if query.view == "team":
        conditions.append(ChatSession.team_id.in_(sorted(caller.teams)))
    if query.view == "unassigned" or query.assignee_id == "none":
        conditions.append(ChatSession.assignee_id.is_(None))
    if query.assignee_id not in (None, "me", "none"):
        conditions.append(ChatSession.assignee_id == UUID(query.assignee_id))
    return conditions


def _links(
    query: SessionQuery, rows: list[Row[Any]], *, more: bool, place: Place | None
) -> PageLinks:
    forwards = place is None or place.forwards
    after = more if forwards else place is not None
    before = place is not None if forwards else more
    return PageLinks(
        next_cursor=_cursor(query, rows[-1], forwards=True) if rows and after else None,
        prev_cursor=(_cursor(query, rows[0], forwards=False) if rows and before else None),
        has_more=more,
    )


def _cursor(query: SessionQuery, row: Row[Any], *, forwards: bool) -> str:
    value = getattr(row, query.sort.removeprefix("-")).isoformat()
    parts = [value, row.id.hex, forwards, _fingerprint(query)]
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def _parse(query: SessionQuery) -> Place:
    text = query.cursor or ""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        value, row_id, forwards, fingerprint = orjson.loads(raw)
        moment = _to_utc(_TIME.validate_python(value))
        place = Place(moment, UUID(row_id), bool(forwards))
    except (ValueError, TypeError, AttributeError) as error:
        raise CursorInvalid() from error
    if fingerprint != _fingerprint(query):
        raise CursorFilterMismatch()
    return place


def _fingerprint(query: SessionQuery) -> str:
    """A hash of all that decides which rows are in the list and in which order."""
    filters = query.model_dump(mode="json", exclude={"limit", "cursor"})
    return hashlib.sha256(orjson.dumps(filters)).hexdigest()[:16]
