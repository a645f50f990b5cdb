"""Find customers."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.errors import NotFound
from chat_service.model import Customer
from chat_service.schema import WorkspaceId


async def lock(db: AsyncSession, workspace_id: WorkspaceId, customer_id: UUID) -> Customer:
    """A customer, locked before any of his sessions; raises NotFound."""
    query = select(Customer).where(
        Customer.workspace_id == workspace_id, Customer.id == customer_id
    )
    found = (await db.scalars(query.with_for_update(key_share=True))).one_or_none()
    if found is None:
        raise NotFound()
    return found
