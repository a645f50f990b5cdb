"""How far each participant has read, as rows: watermarks that never go down.

Rows are written in the order of their keys, and after the row of their session where that is locked,
so that no two writers wait for each other.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Result,
    Row,
    ScalarSelect,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.auth import Caller
from chat_service.errors import FieldError, ReadSeqAhead
from chat_service.events.log import EVENTS
from chat_service.model import ChatMessage, ChatSession, table_of
from chat_service.schema import Actor, AuthorType, SessionId, Visibility
from chat_service.sessions.marks import Mark, Place, Point
from chat_service.sessions.participants import MARKS, PARTICIPANTS, new_row
from chat_service.sessions.queries import SESSIONS

MESSAGES: Final = table_of(ChatMessage)
UNREAD_AT_MOST: Final = 100
"""Unread messages are counted no further; it is shown as "99+"."""


async def mark_of(
    db: AsyncSession,
    caller: Caller,
    session: ChatSession,
    *,
    read_seq: int,
    delivered_seq: int | None,
) -> Mark:
    """How far a caller says he has read, given in his numbering; raises ReadSeqAhead.

    What he has read has reached him too.
    """
    read = await _point(db, caller, session, read_seq, field="read_seq")
    reached = read
    if delivered_seq is not None and delivered_seq > read_seq:
        reached = await _point(db, caller, session, delivered_seq, field="delivered_seq")
    return Mark(session.workspace_id, session.id, caller.actor, read, reached)


async def _point(
    db: AsyncSession, caller: Caller, session: ChatSession, number: int, *, field: str
) -> Point:
    """The event with a number of the caller's, as both sides count it."""
    if number > (session.last_public_seq if caller.is_customer else session.last_seq):
        raise ReadSeqAhead(errors=[FieldError(f"/{field}", "ahead", "no event has this number")])
    here = (EVENTS.c.workspace_id == session.workspace_id, EVENTS.c.session_id == session.id)
    if caller.is_customer:
        query = select(EVENTS.c.seq).where(*here, EVENTS.c.public_seq == number)
        return Point((await db.scalars(query)).one_or_none() or 0, number)
    query = (
        select(EVENTS.c.public_seq)
        .where(*here, EVENTS.c.seq <= number, EVENTS.c.public_seq.is_not(None))
        .order_by(EVENTS.c.seq.desc())
        .limit(1)
    )
    return Point(number, (await db.scalars(query)).one_or_none() or 0)


async def raise_marks(
    db: AsyncSession, marks: Iterable[Mark], *, now: datetime, joining: Collection[Any] = ()
) -> None:
    """Raise marks, each of another participant, to the highest of what is stored and what is given.

    Staff who take no part yet become internal participants, whom customers never see; the actors
    in `joining`, as (session, type, id), are public from now on.
    """
    rows = [_row(each, now=now, visibility=_visibility(each, joining)) for each in marks]
    rows.sort(key=lambda row: (row["session_id"], row["type"], row["id"]))
    if rows:
        connection = await db.connection()
        await connection.execute(_RAISE[connection.dialect.name], rows)


async def of_present_customers(db: AsyncSession, marks: Sequence[Mark]) -> list[Mark]:
    """The same marks, where a customer's is that of whoever the session belongs to by now.

    The sessions stay his until the end of the transaction: for marks that were noted a while ago.
    """
    ids = {mark.session_id for mark in marks}
    query = select(SESSIONS.c.id, SESSIONS.c.customer_id).where(
        SESSIONS.c.workspace_id == marks[0].workspace_id, SESSIONS.c.id.in_(ids)
    )
    held = await db.execute(
        query.order_by(SESSIONS.c.id).with_for_update(read=True, key_share=True)
    )
    owners = {row.id: Actor(AuthorType.CUSTOMER, row.customer_id) for row in held}
    found: dict[tuple[SessionId, Actor], Mark] = {}
    for mark in marks:
        is_customer = mark.actor.type is AuthorType.CUSTOMER
        actor = owners.get(mark.session_id, mark.actor) if is_customer else mark.actor
        mine = replace(mark, actor=actor)
        found[mark.session_id, actor] = mine.merged(found.get((mark.session_id, actor), mine))
    return list(found.values())


def _row(mark: Mark, *, now: datetime, visibility: Visibility) -> dict[str, Any]:
    """The row of an actor who has read that far; `visibility` where he takes no part yet."""
    read = {"read_seq": mark.read.seq, "read_public_seq": mark.read.public_seq}
    delivered = {
        "delivered_seq": mark.delivered.seq,
        "delivered_public_seq": mark.delivered.public_seq,
    }
    row = new_row(*mark.place, mark.actor, now=now, visibility=visibility)
    return row | read | delivered | {"marks_version": 1}


def _visibility(mark: Mark, joining: Collection[Any]) -> Visibility:
    actor = mark.actor
    public = actor.type is AuthorType.CUSTOMER or (mark.session_id, actor.type, actor.id) in joining
    return Visibility.PUBLIC if public else Visibility.INTERNAL


def _raising(inserted: Any) -> Any:
    """Insert, or raise what is there; a row that has all of it already is left alone."""
    there, given = PARTICIPANTS.c, inserted.excluded
    shown = given.visibility == Visibility.PUBLIC
    return inserted.on_conflict_do_update(
        index_elements=list(PARTICIPANTS.primary_key),
        set_={
            name: case((given[name] > there[name], given[name]), else_=there[name])
            for name in MARKS
        }
        | {
            "visibility": case((shown, given.visibility), else_=there.visibility),
            "marks_version": there.marks_version + 1,
        },
        where=or_(
            *(given[name] > there[name] for name in MARKS),
            and_(shown, there.visibility != Visibility.PUBLIC),
        ),
    )


_RAISE: Final[dict[str, PostgresInsert | SqliteInsert]] = {
    "postgresql": _raising(insert_postgres(PARTICIPANTS)),
    "sqlite": _raising(insert_sqlite(PARTICIPANTS)),
}


async def read_marks(db: AsyncSession, places: Collection[Place]) -> dict[Place, list[Row[Any]]]:
    """The participants of sessions, with their marks and what each has not read yet.

    Each row tells besides who holds its session now. Whoever asks has checked the right to them.
    """
    found: dict[Place, list[Row[Any]]] = {place: [] for place in places}
    rows: Result[Any] | tuple[()] = await db.execute(_READ, named(places)) if places else ()
    for row in rows:
        found[row.workspace_id, row.session_id].append(row)
    return found


async def holders(db: AsyncSession, places: Collection[Place]) -> dict[Place, Row[Any]]:
    """Whose sessions these are, who holds them, for which team: what the right to them goes by."""
    found: Result[Any] = await db.execute(_HOLDERS, named(places))
    return {(row.workspace_id, row.id): row for row in found}


async def read_versions(db: AsyncSession, places: Collection[Place]) -> dict[Place, int]:
    """A number for each session that is another one when any of its marks has moved."""
    found = await db.execute(_VERSIONS, named(places))
    return {(row.workspace_id, row.session_id): int(row.version) for row in found}


def named(places: Collection[Place]) -> dict[str, Any]:
    """Places as the lists `workspaces` and `sessions`, for one read of them all.

    There is one statement for each power of two: the last place fills up.
    """
    filled = list(places)
    filled += filled[-1:] * ((1 << (len(filled) - 1).bit_length()) - len(filled))
    workspaces = list({workspace_id for workspace_id, _ in filled})
    return {"workspaces": workspaces, "sessions": [session_id for _, session_id in filled]}


def _unread() -> ScalarSelect[int]:
    """How many public messages by others stand above a participant's mark, up to the most.

    The one customer of a session is its customer under whatever id.
    """
    message, reader = MESSAGES.c, PARTICIPANTS.c
    by_others = or_(
        message.author_type != reader.type,
        and_(reader.type != AuthorType.CUSTOMER, message.author_id != reader.id),
    )
    counted = (
        select(literal(1))
        .where(
            message.workspace_id == reader.workspace_id,
            message.session_id == reader.session_id,
            message.seq > reader.read_seq,
            message.public_seq.is_not(None),
            by_others,
        )
        .limit(UNREAD_AT_MOST)
        .correlate(PARTICIPANTS)
        .subquery()
    )
    return select(func.count()).select_from(counted).scalar_subquery()


_HERE: Final = (
    PARTICIPANTS.c.workspace_id.in_(bindparam("workspaces", expanding=True)),
    PARTICIPANTS.c.session_id.in_(bindparam("sessions", expanding=True)),
)
_READ: Final = (
    select(
        PARTICIPANTS.c.workspace_id,
        PARTICIPANTS.c.session_id,
        PARTICIPANTS.c.type,
        PARTICIPANTS.c.id,
        *(PARTICIPANTS.c[name] for name in (*MARKS, "marks_version")),
        _unread().label("unread_count"),
        SESSIONS.c.assignee_id,
    )
    .join(
        SESSIONS,
        and_(
            SESSIONS.c.workspace_id == PARTICIPANTS.c.workspace_id,
            SESSIONS.c.id == PARTICIPANTS.c.session_id,
        ),
    )
    .where(*_HERE)
    .order_by(*PARTICIPANTS.primary_key)
)
_HOLDERS: Final = select(
    SESSIONS.c.workspace_id,
    SESSIONS.c.id,
    SESSIONS.c.customer_id,
    SESSIONS.c.assignee_id,
    SESSIONS.c.team_id,
).where(
    SESSIONS.c.workspace_id.in_(bindparam("workspaces", expanding=True)),
    SESSIONS.c.id.in_(bindparam("sessions", expanding=True)),
)
_VERSIONS: Final = (
    select(
        PARTICIPANTS.c.workspace_id,
        PARTICIPANTS.c.session_id,
        func.sum(PARTICIPANTS.c.marks_version).label("version"),
    )
    .where(*_HERE)
    .group_by(PARTICIPANTS.c.workspace_id, PARTICIPANTS.c.session_id)
)
