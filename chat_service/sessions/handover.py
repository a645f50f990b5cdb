"""All sessions of one customer become another's, who turned out to be the same person.

Rows of what was said and done keep the id of who did it. Leaves who may become whom to
`intake.identification`.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.events import log
from chat_service.events.schema import SessionUpdated
from chat_service.model import ChatSession, Customer, Participant
from chat_service.schema import Actor, Audience, AuthorType, new_id
from chat_service.sessions.marks import Mark, Point
from chat_service.sessions.watermarks import raise_marks


async def hand_over(db: AsyncSession, old: Customer, new: Customer, *, now: datetime) -> None:
    """Give the sessions of one locked customer to another, with his marks.

    Each tells it to staff by an internal `session.updated`: nothing in it is new to the customer, and
    chats of long ago stay where they are in lists. A `client_session_id` that both have used goes on
    naming the session of the new one.
    """
    sessions = await _locked(db, old)
    if not sessions:
        return
    taken = await _keys_in_use(db, new, [session.client_session_id for session in sessions])
    for session in sessions:
        session.customer_id = new.id
        if session.client_session_id in taken:
            session.client_session_id = str(new_id())
        updated = SessionUpdated(
            workspace_id=session.workspace_id,
            session_id=session.id,
            actor=_actor(new),
            at=now,
            audience=Audience.INTERNAL,
            changed=["customer_id"],
            changes={"customer_id": (str(old.id), str(new.id))},
        )
        log.record(db, updated, session)
    await db.flush()
    await _move_marks(db, old, new, now=now)


async def _locked(db: AsyncSession, customer: Customer) -> Sequence[ChatSession]:
    query = select(ChatSession).where(
        ChatSession.workspace_id == customer.workspace_id, ChatSession.customer_id == customer.id
    )
    locking = query.order_by(ChatSession.id).with_for_update(key_share=True)
    return (await db.scalars(locking.execution_options(populate_existing=True))).all()


async def _keys_in_use(db: AsyncSession, customer: Customer, keys: Sequence[str]) -> set[str]:
    query = select(ChatSession.client_session_id).where(
        ChatSession.workspace_id == customer.workspace_id,
        ChatSession.customer_id == customer.id,
        ChatSession.client_session_id.in_(keys),
    )
    return set(await db.scalars(query))


async def _move_marks(db: AsyncSession, old: Customer, new: Customer, *, now: datetime) -> None:
    """The new customer has read what the old one had, and more where he had read more."""
    mine = (
        Participant.workspace_id == old.workspace_id,
        Participant.session_id.in_(
            select(ChatSession.id).where(
                ChatSession.workspace_id == new.workspace_id, ChatSession.customer_id == new.id
            )
        ),
        Participant.type == AuthorType.CUSTOMER,
        Participant.id == old.id,
    )
    rows = (await db.scalars(select(Participant).where(*mine))).all()
    await raise_marks(db, [_mark(row, new) for row in rows], now=now)
    await db.execute(delete(Participant).where(*mine).execution_options(synchronize_session=False))


def _mark(row: Participant, customer: Customer) -> Mark:
    return Mark(
        row.workspace_id,
        row.session_id,
        _actor(customer),
        read=Point(row.read_seq, row.read_public_seq),
        delivered=Point(row.delivered_seq, row.delivered_public_seq),
    )


def _actor(customer: Customer) -> Actor:
    return Actor(AuthorType.CUSTOMER, customer.id)
