"""The log of who did what, read from its table."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from chat_service.app import Service
from chat_service.model import AuditEntry
from chat_service.test.builders import writing


async def acts_of(service: Service, workspace_id: UUID) -> Sequence[AuditEntry]:
    """The entries of a workspace, in the order they were written."""
    query = select(AuditEntry).where(AuditEntry.workspace_id == workspace_id)
    async with writing(service) as db:
        return (await db.scalars(query.order_by(AuditEntry.at, AuditEntry.id))).all()
