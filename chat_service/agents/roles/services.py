"""Make, change and remove roles. Each change is recorded as an event, and audited."""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import links
from chat_service.agents.roles import queries
from chat_service.agents.standing import act, require_own
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import Target
from chat_service.auth import Caller
from chat_service.errors import NameTaken, RoleInUse
from chat_service.events import log
from chat_service.events.schema import RoleUpdated
from chat_service.model import CustomRole
from chat_service.schema import Permission, Role, RoleId, new_id
from chat_service.workspaces.bounds import naming, require_room

BUILT_IN: Final = tuple(role for role in Role if role is not Role.CUSTOM)


async def create(
    db: AsyncSession,
    caller: Caller,
    *,
    name: str,
    permissions: Collection[Permission],
    now: datetime,
) -> CustomRole:
    """A new role, of permissions that the caller has; raises Forbidden, NameTaken, TooMany."""
    caller = await act(db, caller, Permission.ROLES_MANAGE)
    require_own(caller, permissions)
    _require_free(name)
    await require_room(db, CustomRole, CustomRole.workspace_id == caller.workspace_id)
    role = CustomRole(
        workspace_id=caller.workspace_id,
        id=RoleId(new_id()),
        name=name,
        permissions=in_order(permissions),
        created_at=now,
    )
    async with naming(db):
        db.add(role)
    _record(db, caller, role, Act.ROLE_CREATED, ["name", "permissions"], now)
    return role


async def change(
    db: AsyncSession,
    caller: Caller,
    role_id: UUID,
    *,
    name: str | None,
    permissions: Collection[Permission] | None,
    now: datetime,
) -> CustomRole:
    """Change a role, None leaves what there is; only real changes are recorded.

    Whoever changes it has all that it holds before and after. Raises as `create`, and NotFound.
    """
    caller = await act(db, caller, Permission.ROLES_MANAGE)
    role = await queries.locked(db, caller.workspace_id, role_id)
    require_own(caller, role.permissions)
    changed = []
    if permissions is not None and in_order(permissions) != role.permissions:
        require_own(caller, permissions)
        if not set(permissions) <= set(role.permissions):
            await links.end_links_of_role(db, caller.workspace_id, role.id)
        role.permissions = in_order(permissions)
        changed.append("permissions")
    if name is not None and name != role.name:
        _require_free(name)
        changed.append("name")
        async with naming(db):
            role.name = name
    if changed:
        _record(db, caller, role, Act.ROLE_UPDATED, changed, now)
    return role


async def remove(db: AsyncSession, caller: Caller, role_id: UUID, *, now: datetime) -> None:
    """Remove a role that no agent has; raises NotFound, Forbidden, RoleInUse."""
    caller = await act(db, caller, Permission.ROLES_MANAGE)
    role = await queries.locked(db, caller.workspace_id, role_id, to_remove=True)
    require_own(caller, role.permissions)
    if await queries.is_given(db, caller.workspace_id, role.id):
        raise RoleInUse()
    await db.delete(role)
    _record(db, caller, role, Act.ROLE_DELETED, [], now)


def in_order(permissions: Collection[str]) -> list[str]:
    """Each once, in the order in which the documents name them."""
    return [permission.value for permission in Permission if permission in set(permissions)]


def _require_free(name: str) -> None:
    """A role that only looks like a built-in one would mislead; raises NameTaken."""
    if name.strip().casefold() in {*BUILT_IN, Role.CUSTOM}:
        raise NameTaken("A built-in role has this name")


def _record(
    db: AsyncSession, caller: Caller, role: CustomRole, act: Act, changed: list[str], now: datetime
) -> None:
    log.record(
        db,
        RoleUpdated(
            workspace_id=role.workspace_id,
            actor=caller.actor,
            at=now,
            role_id=role.id,
            changed=sorted(changed),
        ),
    )
    audit.record_by(db, caller, act, now=now, target=Target("role", role.id), fields=changed)
