"""Pages of a list that is sorted by a time and an id: places in it, and cursors that hold one.

A cursor carries the time and id of the row it stands on, its direction, and a fingerprint of all
that decides which rows are in the list, so that pages neither skip nor repeat a row that keeps its
place. Leaves which rows a list has, and in which order, to the list.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson
from pydantic import AwareDatetime, TypeAdapter
from sqlalchemy import ColumnElement, and_, or_

from chat_service.errors import CursorFilterMismatch, CursorInvalid
from chat_service.transport import PageLinks, Query

_TIME: Final = TypeAdapter[datetime](AwareDatetime)
_PAGING: Final = {"limit", "cursor"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: beyond this row, forwards or backwards in the list's order."""

    value: datetime
    id: UUID
    forwards: bool


def to_utc(value: datetime) -> datetime:
    """The same moment in UTC; raises ValueError where that has no year from 1 to 9999."""
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range") from None


def parse(cursor: str, query: Query) -> Place:
    """The place of a cursor; raises CursorInvalid, or CursorFilterMismatch for another list's."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        value, row_id, forwards, fingerprint = orjson.loads(raw)
        place = Place(to_utc(_TIME.validate_python(value)), UUID(row_id), bool(forwards))
    except (ValueError, TypeError, AttributeError) as error:
        raise CursorInvalid() from error
    if fingerprint != _fingerprint(query):
        raise CursorFilterMismatch()
    return place


def beyond(time: Any, row_id: Any, place: Place, *, downwards: bool) -> ColumnElement[bool]:
    """The rows behind a place, of a list sorted by two columns that both fall or both rise."""
    if downwards:
        return or_(time < place.value, and_(time == place.value, row_id < place.id))
    return or_(time > place.value, and_(time == place.value, row_id > place.id))


def links(
    query: Query, keys: Sequence[tuple[datetime, UUID]], *, more: bool, place: Place | None
) -> PageLinks:
    """Where a list goes on from a page with these times and ids; `more` in the page's direction."""
    forwards = place is None or place.forwards
    after = more if forwards else place is not None
    before = place is not None if forwards else more
    return PageLinks(
        next_cursor=_cursor(query, *keys[-1], forwards=True) if keys and after else None,
        prev_cursor=_cursor(query, *keys[0], forwards=False) if keys and before else None,
        has_more=more,
    )


def _cursor(query: Query, value: datetime, row_id: UUID, *, forwards: bool) -> str:
    parts = [value.isoformat(), row_id.hex, forwards, _fingerprint(query)]
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def _fingerprint(query: Query) -> str:
    """A hash of all that decides which rows are in the list and in which order."""
    filters = query.model_dump(mode="json", exclude=_PAGING)
    return hashlib.sha256(orjson.dumps(filters)).hexdigest()[:16]
