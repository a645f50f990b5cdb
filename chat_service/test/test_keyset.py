"""Cursors of lists sorted by a time: what they hold, and what is none."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest

from chat_service import keyset
from chat_service.errors import CursorFilterMismatch, CursorInvalid
from chat_service.transport import Query

ID = UUID("0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10")
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


class Wanted(Query):
    """Filters of a list."""

    word: str = ""
    limit: int = 50
    cursor: str | None = None


def encoded(*parts: object) -> str:
    """A cursor of other parts."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


@pytest.mark.parametrize("more", [True, False])
def test_a_first_page_leads_on_where_there_is_more(more: bool) -> None:
    found = keyset.links(Wanted(), [(NOON, ID)], more=more, place=None)
    assert (found.next_cursor is not None, found.prev_cursor, found.has_more) == (more, None, more)


def test_a_cursor_holds_its_place_whatever_the_limit() -> None:
    cursor = keyset.links(Wanted(), [(NOON, ID)], more=True, place=None).next_cursor or ""
    assert keyset.parse(cursor, Wanted(limit=7)) == keyset.Place(NOON, ID, forwards=True)
    with pytest.raises(CursorFilterMismatch):
        keyset.parse(cursor, Wanted(word="other"))


def test_a_page_read_backwards_leads_both_ways() -> None:
    place = keyset.Place(NOON, ID, forwards=False)
    later = NOON + timedelta(hours=1)
    found = keyset.links(Wanted(), [(later, ID), (NOON, ID)], more=True, place=place)
    assert keyset.parse(found.prev_cursor or "", Wanted()).value == later
    assert keyset.parse(found.next_cursor or "", Wanted()).value == NOON
    assert keyset.links(Wanted(), [], more=False, place=place).next_cursor is None


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "ä",
        encoded(),
        encoded(NOON.isoformat(), ID.hex, True),
        encoded("noon", ID.hex, True, ""),
        encoded(None, ID.hex, True, ""),
        encoded("2026-11-26T12:00:00", ID.hex, True, ""),
        encoded("0001-01-01T00:00:00+14:00", ID.hex, True, ""),
        encoded(NOON.isoformat(), "me", True, ""),
        encoded(NOON.isoformat(), 7, True, ""),
    ],
)
def test_what_was_never_given_out_is_no_cursor(cursor: str) -> None:
    with pytest.raises(CursorInvalid):
        keyset.parse(cursor, Wanted())
