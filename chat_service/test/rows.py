"""Rows changed as no address of the service changes them yet: a deactivation, a resting session."""

from typing import Any
from uuid import UUID

from sqlalchemy import update

from chat_service.model import Agent, Base, ChatSession, Inbox, Token
from chat_service.schema import AgentStatus, Status
from chat_service.test.builders import Person, Workspace, writing


async def change_row(
    workspace: Workspace, entity: type[Base], row_id: UUID | str, **values: Any
) -> None:
    """Set columns of one row of a workspace."""
    table: Any = entity
    query = update(table).where(table.workspace_id == workspace.id, table.id == UUID(str(row_id)))
    async with writing(workspace.service) as db:
        assert (await db.execute(query.values(**values).returning(table.id))).first() is not None


async def deactivate(workspace: Workspace, agent: Person) -> None:
    """Let an agent leave."""
    await change_row(workspace, Agent, agent.id, status=AgentStatus.DEACTIVATED)


async def put_to_rest(workspace: Workspace, session_id: str, status: Status) -> None:
    """Make a session pending or snoozed."""
    await change_row(workspace, ChatSession, session_id, status=status)


async def set_inbox(workspace: Workspace, **rules: Any) -> None:
    """Change the rules of the workspace's inbox."""
    await change_row(workspace, Inbox, workspace.inbox.id, **rules)


async def revoke(workspace: Workspace, key: Person, **at: Any) -> None:
    """End a key."""
    await change_row(workspace, Token, key.id, **at)
