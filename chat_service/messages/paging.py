"""Pages of a conversation, by number and so stable for ever. Customers get public messages only."""

from collections.abc import Sequence
from typing import Final

from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.auth import Caller
from chat_service.errors import InvalidParameter
from chat_service.messages.queries import MESSAGES, with_authors
from chat_service.messages.transport import MessageLinks
from chat_service.model import ChatSession
from chat_service.transport import Query

MOST: Final = 200


class MessagesQuery(Query):
    """Which part of the conversation, by number; without any the newest messages."""

    before_seq: int | None = Field(default=None, ge=1, le=2**53)
    after_seq: int | None = Field(default=None, ge=0, le=2**53)
    around_seq: int | None = Field(default=None, ge=0, le=2**53)
    limit: int = Field(default=50, ge=1)


async def page(
    db: AsyncSession, caller: Caller, session: ChatSession, wanted: MessagesQuery
) -> tuple[Sequence[RowMapping], MessageLinks]:
    """One page of a session's messages, oldest first, and the numbers to go on from.

    Numbers are the caller's: `public_seq` for customers, `seq` for staff.
    """
    given = [
        name
        for name in ("before_seq", "after_seq", "around_seq")
        if getattr(wanted, name) is not None
    ]
    if len(given) > 1:
        raise InvalidParameter(f"Only one of {', '.join(given)} may be given")
    limit = min(wanted.limit, MOST)
    if wanted.around_seq is not None:
        half = limit // 2
        older = await _read(db, caller, session, below=wanted.around_seq, limit=half)
        newer = await _read(db, caller, session, above=wanted.around_seq - 1, limit=limit - half)
        rows = [*older[:half], *newer[: limit - half]]
        rows.sort(key=lambda row: row["seq"])
        before, after = len(older) > half, len(newer) > limit - half
        return rows, _links(caller, rows, older=before, newer=after, more=before or after)
    if wanted.after_seq is not None:
        found = await _read(db, caller, session, above=wanted.after_seq, limit=limit)
        rows, more = found[:limit], len(found) > limit
        return rows, _links(caller, rows, older=wanted.after_seq > 0, newer=more, more=more)
    found = await _read(db, caller, session, below=wanted.before_seq, limit=limit)
    rows, more = found[:limit][::-1], len(found) > limit
    newer_too = wanted.before_seq is not None
    return rows, _links(caller, rows, older=more, newer=newer_too, more=more)


async def _read(
    db: AsyncSession,
    caller: Caller,
    session: ChatSession,
    *,
    above: int | None = None,
    below: int | None = None,
    limit: int,
) -> list[RowMapping]:
    """Messages above a number, oldest first, or below one, newest first; one more than asked."""
    number = MESSAGES.c.public_seq if caller.is_customer else MESSAGES.c.seq
    query = with_authors().where(
        MESSAGES.c.workspace_id == session.workspace_id, MESSAGES.c.session_id == session.id
    )
    if caller.is_customer:
        query = query.where(number.is_not(None))
    if above is not None:
        query = query.where(number > above).order_by(number)
    else:
        query = query.order_by(number.desc())
        if below is not None:
            query = query.where(number < below)
    return list((await db.execute(query.limit(limit + 1))).mappings())


def _links(
    caller: Caller, rows: Sequence[RowMapping], *, older: bool, newer: bool, more: bool
) -> MessageLinks:
    name = "public_seq" if caller.is_customer else "seq"
    return MessageLinks(
        before_seq=rows[0][name] if rows and older else None,
        after_seq=rows[-1][name] if rows and newer else None,
        has_more=more,
    )
