"""The caller's own workspace, and the log of who did what in it."""

from quart import Blueprint, Response

from chat_service.audit import listing
from chat_service.audit.listing import AuditQuery
from chat_service.auth import require
from chat_service.errors import CursorFilterMismatch, CursorInvalid, InvalidFilter
from chat_service.events.transaction import reading, transaction
from chat_service.schema import Permission
from chat_service.transport import Query
from chat_service.web import Who, answer, caller, document, now, parse, query
from chat_service.workspaces import queries, services
from chat_service.workspaces.rendering import entry_view, workspace_view
from chat_service.workspaces.transport import AuditPage, PatchWorkspace, WorkspaceResponse

blueprint = Blueprint("workspaces", __name__, url_prefix="/v1")
STAFF = Who.AGENT | Who.KEY


@blueprint.get("/workspace")
@document(STAFF, answers={200: WorkspaceResponse})
async def get_workspace() -> Response:
    """Read the workspace the caller belongs to."""
    query(Query)
    who = await caller()
    async with reading() as db:
        workspace = await queries.own(db, who.workspace_id)
    return answer(WorkspaceResponse(workspace=workspace_view(workspace)))


@blueprint.patch("/workspace")
@document(STAFF, body=PatchWorkspace, answers={200: WorkspaceResponse})
async def patch_workspace() -> Response:
    """Give the workspace another name; its slug stays, since people sign in by it."""
    body, who = await parse(PatchWorkspace), await caller()
    require(who, Permission.SETTINGS_MANAGE)
    async with transaction() as db:
        workspace = await services.rename(db, who, body.name, now=now())
    return answer(WorkspaceResponse(workspace=workspace_view(workspace)))


@blueprint.get("/audit-entries")
@document(
    STAFF,
    query=AuditQuery,
    answers={200: AuditPage},
    errors=[InvalidFilter, CursorInvalid, CursorFilterMismatch],
)
async def list_audit_entries() -> Response:
    """List who did what in the workspace, newest first. Entries are never changed or removed."""
    wanted, who = query(AuditQuery), await caller()
    require(who, Permission.AUDIT_READ)
    async with reading() as db:
        rows, links = await listing.page(db, who.workspace_id, wanted)
    return answer(AuditPage(data=[entry_view(row) for row in rows], page=links))
