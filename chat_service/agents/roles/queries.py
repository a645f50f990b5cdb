"""Find roles of a workspace's own."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.errors import NotFound
from chat_service.model import Agent, CustomRole
from chat_service.schema import RoleId, WorkspaceId


async def of(db: AsyncSession, workspace_id: WorkspaceId) -> Sequence[CustomRole]:
    """All of a workspace, by name."""
    query = (
        select(CustomRole)
        .where(CustomRole.workspace_id == workspace_id)
        .order_by(CustomRole.name, CustomRole.id)
    )
    return (await db.scalars(query)).all()


async def locked(
    db: AsyncSession, workspace_id: WorkspaceId, role_id: UUID, *, to_remove: bool = False
) -> CustomRole:
    """A role for writing; `to_remove` waits for whoever is just giving it to an agent.

    Raises NotFound.
    """
    query = select(CustomRole).where(
        CustomRole.workspace_id == workspace_id, CustomRole.id == role_id
    )
    found = (await db.scalars(query.with_for_update(key_share=not to_remove))).one_or_none()
    if found is None:
        raise NotFound()
    return found


async def is_given(db: AsyncSession, workspace_id: WorkspaceId, role_id: RoleId) -> bool:
    """Whether any agent has a role, deactivated ones too."""
    query = select(Agent.id).where(Agent.workspace_id == workspace_id, Agent.role_id == role_id)
    return (await db.scalars(query.limit(1))).first() is not None
