"""Which roles there are, and those of the workspace's own made, changed and removed."""

from uuid import UUID

from quart import Blueprint, Response

from chat_service.agents.roles import queries, services
from chat_service.agents.roles.transport import (
    NewRole,
    PatchRole,
    RoleList,
    RoleResponse,
    built_in_views,
    own_view,
)
from chat_service.auth import require
from chat_service.errors import NameTaken, NotFound, RoleInUse, TooMany
from chat_service.events.transaction import reading, transaction
from chat_service.model import CustomRole
from chat_service.schema import Permission, TokenKind
from chat_service.transport import Query
from chat_service.web import Who, answer, caller, document, now, parse, query

blueprint = Blueprint("roles", __name__, url_prefix="/v1/roles")
STAFF = Who.AGENT | Who.KEY


@blueprint.get("")
@document(STAFF, answers={200: RoleList})
async def list_roles() -> Response:
    """All roles with their permissions, for any agent; for a key that manages them."""
    query(Query)
    who = await caller()
    if who.kind is TokenKind.KEY:
        require(who, Permission.ROLES_MANAGE)
    async with reading() as db:
        own = await queries.of(db, who.workspace_id)
    views = [own_view(role.id, role.name, role.permissions) for role in own]
    return answer(RoleList(data=[*built_in_views(), *views]))


@blueprint.post("")
@document(STAFF, body=NewRole, answers={201: RoleResponse}, errors=[NameTaken, TooMany])
async def create_role() -> Response:
    """Make a role, of permissions that the caller has himself."""
    body, who = await parse(NewRole), await caller()
    require(who, Permission.ROLES_MANAGE)
    async with transaction() as db:
        role = await services.create(
            db, who, name=body.name, permissions=body.permissions, now=now()
        )
    return answer(_shown(role), 201)


@blueprint.patch("/<uuid:role_id>")
@document(STAFF, body=PatchRole, answers={200: RoleResponse}, errors=[NotFound, NameTaken])
async def patch_role(role_id: UUID) -> Response:
    """Change a role. Who has it is not signed out: his sockets and streams are closed with 4003."""
    body, who = await parse(PatchRole), await caller()
    require(who, Permission.ROLES_MANAGE)
    async with transaction() as db:
        role = await services.change(
            db, who, role_id, name=body.name, permissions=body.permissions, now=now()
        )
    return answer(_shown(role))


@blueprint.delete("/<uuid:role_id>")
@document(STAFF, answers={204: None}, errors=[NotFound, RoleInUse])
async def delete_role(role_id: UUID) -> Response:
    """Remove a role that no agent has."""
    query(Query)
    who = await caller()
    require(who, Permission.ROLES_MANAGE)
    async with transaction() as db:
        await services.remove(db, who, role_id, now=now())
    return answer(None, 204)


def _shown(role: CustomRole) -> RoleResponse:
    return RoleResponse(role=own_view(role.id, role.name, role.permissions))
