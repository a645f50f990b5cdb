"""What the audit log and the workspace's log say of an act."""

from typing import Any

from sqlalchemy import select

from chat_service.events.transaction import reading
from chat_service.model import AuditEntry
from chat_service.test.builders import Json, Person, Workspace


async def audited(workspace: Workspace, prefix: str) -> list[tuple[Any, ...]]:
    """The entries of acts that begin so, in their order: action, actor, target, fields."""
    query = (
        select(AuditEntry)
        .where(AuditEntry.workspace_id == workspace.id, AuditEntry.action.startswith(prefix))
        .order_by(AuditEntry.at, AuditEntry.id)
    )
    with workspace.service.database.bound():
        async with reading() as db:
            found = (await db.scalars(query)).all()
    return [(str(one.action), str(one.actor_id), one.target_id, one.fields) for one in found]


async def told(key: Person, kind: str) -> list[Json]:
    """What the events of a type say, in their order."""
    response = await key.get("/v1/events", params={"types": kind, "limit": 500})
    assert response.status_code == 200, response.text
    return [event["data"] for event in response.json()["data"]]
