"""Find customers, by their ids of now or of before, and by the host site's."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from chat_service.auth import Caller
from chat_service.errors import NotFound, Unauthenticated
from chat_service.model import Customer, Inbox
from chat_service.schema import CustomerId, WorkspaceId


def resolved(workspace_id: WorkspaceId, customer_id: UUID) -> ColumnElement[UUID]:
    """The id that a customer's id stands for now: that of whom a visitor turned out to be."""
    old = aliased(Customer)
    merged_into = select(old.merged_into).where(
        old.workspace_id == workspace_id, old.id == customer_id
    )
    return func.coalesce(merged_into.scalar_subquery(), customer_id)


async def access(
    db: AsyncSession, workspace_id: WorkspaceId, customer_id: UUID, *, lock: bool = False
) -> Customer:
    """A customer, also by an id of before, for writing with `lock`; raises NotFound.

    The lock comes before those of his sessions.
    """
    query = select(Customer).where(
        Customer.workspace_id == workspace_id, Customer.id == resolved(workspace_id, customer_id)
    )
    found = (await db.scalars(_locking(query) if lock else query)).one_or_none()
    if found is None:
        raise NotFound()
    if found.merged_into is not None:  # since the statement began
        return await access(db, workspace_id, found.merged_into, lock=lock)
    return found


async def of_caller(db: AsyncSession, caller: Caller, *, lock: bool = False) -> Customer:
    """The customer who calls; raises Unauthenticated for one who has just become another."""
    query = select(Customer).where(
        Customer.workspace_id == caller.workspace_id, Customer.id == caller.customer_id
    )
    found = (await db.scalars(_locking(query) if lock else query)).one()
    if found.merged_into is not None:
        raise Unauthenticated()
    return found


async def id_by_external_id(db: AsyncSession, inbox: Inbox, external_id: str) -> CustomerId | None:
    """The verified customer whom the host site calls so."""
    query = select(Customer.id).where(
        Customer.workspace_id == inbox.workspace_id,
        Customer.inbox_id == inbox.id,
        Customer.external_id == external_id,
    )
    return (await db.scalars(query)).one_or_none()


async def lock_all(
    db: AsyncSession, workspace_id: WorkspaceId, ids: Iterable[CustomerId]
) -> Sequence[Customer]:
    """Customers by exactly these ids, locked in their order."""
    query = select(Customer).where(Customer.workspace_id == workspace_id, Customer.id.in_(ids))
    return (await db.scalars(_locking(query.order_by(Customer.id)))).all()


def _locking(query: Select[Customer]) -> Select[Customer]:
    return query.with_for_update(key_share=True, of=Customer).execution_options(
        populate_existing=True
    )
