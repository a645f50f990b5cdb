"""Wire models of roles."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import Field

from chat_service.schema import ROLE_PERMISSIONS, Permission, Role
from chat_service.transport import Name, Request, Response, example


class NewRole(Request):
    """A role of the workspace's own: any of the permissions that its maker has."""

    model_config = example(name="Night shift", permissions=["sessions:read_team", "messages:write"])

    name: Name
    permissions: list[Permission] = Field(max_length=100)


class PatchRole(Request):
    """What is left out or null stays."""

    model_config = example(permissions=["sessions:read_team", "messages:write", "sessions:close"])

    name: Name | None = None
    permissions: list[Permission] | None = Field(default=None, max_length=100)


class RoleView(Response):
    """A role: `role` and `role_id` are what an agent who has it is given.

    `role` is `custom` and `role_id` set for the workspace's own alone.
    """

    object: str = Field(examples=["role"])
    role: Role
    role_id: UUID | None
    name: str
    permissions: list[Permission]


class RoleResponse(Response):
    """One role."""

    role: RoleView


class RoleList(Response):
    """All roles: the built-in ones first."""

    data: list[RoleView]


def own_view(role_id: UUID, name: str, permissions: Sequence[str]) -> RoleView:
    """A role of the workspace's own."""
    return RoleView(
        object="role",
        role=Role.CUSTOM,
        role_id=role_id,
        name=name,
        permissions=[Permission(each) for each in permissions],
    )


def built_in_views() -> list[RoleView]:
    """The roles that every workspace has, from the most to the least."""
    return [
        RoleView(
            object="role",
            role=role,
            role_id=None,
            name=role.value,
            permissions=[each for each in Permission if each in permissions],
        )
        for role, permissions in ROLE_PERMISSIONS.items()
    ]
