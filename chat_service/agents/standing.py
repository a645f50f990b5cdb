"""Who may change whom: nobody gives or takes over what he does not have himself.

Whoever may make a link for another could sign in as him, so the rule holds for every act upon an
agent, and not only for roles.
"""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.auth import Caller
from chat_service.errors import FieldError, Forbidden, ValidationFailed
from chat_service.model import Agent, CustomRole
from chat_service.schema import ROLE_PERMISSIONS, Permission, Role, RoleId, WorkspaceId


def require_over(caller: Caller, role: Role, permissions: frozenset[Permission]) -> None:
    """Refuse an act upon somebody with this role, or the gift of it; raises Forbidden."""
    if role is Role.OWNER and caller.role is not Role.OWNER:
        raise Forbidden("Only an owner makes, changes or removes an owner")
    if not permissions <= caller.permissions:
        raise Forbidden("This needs every permission of that role")


async def require_over_agent(db: AsyncSession, caller: Caller, agent: Agent) -> None:
    """Refuse an act upon an agent who may do more than the caller; raises Forbidden."""
    permissions = await permissions_with(db, agent.workspace_id, agent.role, agent.role_id)
    require_over(caller, agent.role, permissions)


async def require_gift(
    db: AsyncSession, caller: Caller, role: Role, role_id: RoleId | None
) -> None:
    """Refuse to give a role that is none, or is more than the caller has.

    Raises ValidationFailed and Forbidden.
    """
    if (role is Role.CUSTOM) != (role_id is not None):
        code, detail = ("missing", "is needed") if role_id is None else ("reserved", "is for")
        detail = f"{detail} with the role custom"
        raise ValidationFailed(errors=[FieldError("/role_id", code, detail)])
    # Locked, lest the role goes or grows between this look and the commit.
    permissions = await permissions_with(db, caller.workspace_id, role, role_id, lock=True)
    require_over(caller, role, permissions)


async def permissions_with(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    role: Role,
    role_id: UUID | None,
    *,
    lock: bool = False,
) -> frozenset[Permission]:
    """What somebody with this role may; raises ValidationFailed where there is no such row."""
    if role_id is None:
        return ROLE_PERMISSIONS[role]
    query = select(CustomRole.permissions).where(
        CustomRole.workspace_id == workspace_id, CustomRole.id == role_id
    )
    found = await db.scalar(query.with_for_update(key_share=True) if lock else query)
    if found is None:
        detail = "there is no such role"
        raise ValidationFailed(errors=[FieldError("/role_id", "unknown_role", detail)])
    return frozenset(Permission(each) for each in found)
