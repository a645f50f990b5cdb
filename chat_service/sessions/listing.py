"""Lists of sessions: filters and sorts. Leaves the places and cursors of a list to `keyset`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from pydantic import Field, field_validator
from sqlalchemy import ColumnElement, Row, func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from chat_service import keyset
from chat_service.auth import Caller
from chat_service.customers import queries as customers
from chat_service.errors import Forbidden, UnsupportedSort
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
        return value if value is None else keyset.to_utc(value)


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
    place = keyset.parse(query.cursor, query) if query.cursor is not None else None
    forwards = place is None or place.forwards
    downwards = descending is forwards
    statement = summaries().where(visible_to(caller), *_conditions(caller, query))
    if query.sort == "waiting_since":
        statement = statement.where(column.is_not(None))
    if place is not None:
        statement = statement.where(
            keyset.beyond(column, ChatSession.id, place, downwards=downwards)
        )
    order = [key.desc() if downwards else key.asc() for key in (column, ChatSession.id)]
    limit = min(query.limit, MOST)
    found = (await db.execute(statement.order_by(*order).limit(limit + 1))).all()
    rows, more = list(found[:limit]), len(found) > limit
    if not forwards:
        rows.reverse()
    keys = [(getattr(row, query.sort.removeprefix("-")), row.id) for row in rows]
    return rows, keyset.links(query, keys, more=more, place=place)


def _conditions(caller: Caller, query: SessionQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.status is not None:
        conditions.append(ChatSession.status.in_(_statuses(caller, query.status)))
    if query.priority is not None:
        words = [Priority(word) for word in query.priority.split(",")]
        conditions.append(ChatSession.priority.in_(words))
    if query.tag is not None:
        conditions.append(func.has_element(ChatSession.tags, query.tag))
    if query.customer_id is not None:
        customer_id = customers.resolved(caller.workspace_id, query.customer_id)
        conditions.append(ChatSession.customer_id == customer_id)
    for name in ("team_id", "inbox_id", "channel"):
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
