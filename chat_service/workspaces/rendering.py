"""A workspace and the entries of its audit log, as they are shown over HTTP and in exports."""

from chat_service.model import AuditEntry, Workspace
from chat_service.transport import ActorView
from chat_service.workspaces.transport import AuditEntryView, TargetView, WorkspaceView


def workspace_view(workspace: Workspace) -> WorkspaceView:
    """A workspace as everybody in it sees it."""
    return WorkspaceView(
        object="workspace",
        id=workspace.id,
        slug=workspace.slug,
        name=workspace.name,
        created_at=workspace.created_at,
    )


def entry_view(entry: AuditEntry) -> AuditEntryView:
    """One entry."""
    target = None
    if entry.target_type is not None:
        target = TargetView(type=entry.target_type, id=entry.target_id or "")
    return AuditEntryView(
        object="audit_entry",
        id=entry.id,
        workspace_id=entry.workspace_id,
        at=entry.at,
        actor=ActorView(type=entry.actor_type, id=entry.actor_id),
        token_id=entry.token_id,
        action=entry.action,
        outcome=entry.outcome,
        target=target,
        fields=entry.fields,
        address=entry.address,
        request_id=entry.request_id,
    )
