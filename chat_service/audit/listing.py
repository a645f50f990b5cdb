"""The log of who did what, newest first, page by page."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import ClassVar, Final
from uuid import UUID

from pydantic import Field, field_validator
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service import keyset
from chat_service.audit.acts import Act
from chat_service.events.transaction import reading
from chat_service.model import AuditEntry
from chat_service.schema import WorkspaceId
from chat_service.transport import Moment, PageLinks, Query, Text, words_of

MOST: Final = 200
AT_ONCE: Final = 500
"""How many entries are read at a time where all of them are wanted."""


class AuditQuery(Query):
    """Filters of the log, joined by AND; acts joined by commas are alternatives."""

    filters: ClassVar = ("action", "actor_id", "target_type", "target_id", "after", "before")

    action: str | None = Field(
        default=None, pattern=words_of(Act), examples=["api_key.created,api_key.revoked"]
    )
    actor_id: UUID | None = None
    target_type: Text | None = Field(default=None, max_length=32, examples=["api_key"])
    target_id: Text | None = Field(default=None, max_length=64)
    after: Moment | None = Field(default=None, description="Only what was done later.")
    before: Moment | None = Field(default=None, description="Only what was done earlier.")
    limit: int = Field(default=50, ge=1)
    cursor: str | None = Field(default=None, max_length=512)

    @field_validator("after", "before")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        return value if value is None else keyset.to_utc(value)


async def page(
    db: AsyncSession, workspace_id: WorkspaceId, query: AuditQuery
) -> tuple[Sequence[AuditEntry], PageLinks]:
    """One page of a workspace's entries, and the cursors to go on."""
    place = keyset.parse(query.cursor, query) if query.cursor is not None else None
    forwards = place is None or place.forwards
    conditions = [AuditEntry.workspace_id == workspace_id, *_conditions(query)]
    if place is not None:
        conditions.append(keyset.beyond(AuditEntry.at, AuditEntry.id, place, downwards=forwards))
    order = [key.desc() if forwards else key.asc() for key in (AuditEntry.at, AuditEntry.id)]
    limit = min(query.limit, MOST)
    wanted = select(AuditEntry).where(*conditions).order_by(*order).limit(limit + 1)
    found = (await db.scalars(wanted)).all()
    rows, more = list(found[:limit]), len(found) > limit
    if not forwards:
        rows.reverse()
    keys = [(row.at, row.id) for row in rows]
    return rows, keyset.links(query, keys, more=more, place=place)


def _conditions(query: AuditQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.action is not None:
        conditions.append(AuditEntry.action.in_(query.action.split(",")))
    for name in ("actor_id", "target_type", "target_id"):
        value = getattr(query, name)
        if value is not None:
            conditions.append(getattr(AuditEntry, name) == value)
    if query.after is not None:
        conditions.append(AuditEntry.at > query.after)
    if query.before is not None:
        conditions.append(AuditEntry.at < query.before)
    return conditions


async def every_entry(workspace_id: WorkspaceId) -> AsyncGenerator[AuditEntry]:
    """All entries of a workspace, oldest first, read in parts, so that no transaction lasts long.

    Opens its own transactions.
    """
    wanted = (
        select(AuditEntry)
        .where(AuditEntry.workspace_id == workspace_id)
        .order_by(AuditEntry.at, AuditEntry.id)
        .limit(AT_ONCE)
    )
    rest = wanted
    while True:
        async with reading() as db:
            rows = (await db.scalars(rest)).all()
        for row in rows:
            yield row
        if len(rows) < AT_ONCE:
            return
        last = keyset.Place(rows[-1].at, rows[-1].id, forwards=True)
        rest = wanted.where(keyset.beyond(AuditEntry.at, AuditEntry.id, last, downwards=False))
