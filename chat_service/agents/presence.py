"""Agents' presence as rows: every process assigns and shows by the same.

A row says that an agent is connected to a process; it counts while the lease of that process lives,
so that what a dead process leaves behind says nothing soon, and is deleted by the next who comes.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import and_, delete, select
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.model import Agent, AgentSocket, ProcessLease, table_of
from chat_service.schema import AgentId, AgentStatus, Availability, ProcessId, WorkspaceId

INSERT: Final[dict[str, Any]] = {"postgresql": insert_postgres, "sqlite": insert_sqlite}
LEASES: Final = table_of(ProcessLease)
SOCKETS: Final = table_of(AgentSocket)


class Present(NamedTuple):
    """What a connected agent says of himself; everybody else is offline."""

    availability: Availability
    accepting_chats: bool


async def renew(db: AsyncSession, process_id: ProcessId, *, expires_at: datetime) -> None:
    """Let the rows of this process count until then."""
    lease = _insert(db, LEASES).values(process_id=process_id, expires_at=expires_at)
    await db.execute(
        lease.on_conflict_do_update(
            index_elements=[LEASES.c.process_id], set_={"expires_at": expires_at}
        )
    )


async def come(
    db: AsyncSession,
    process_id: ProcessId,
    workspace_id: WorkspaceId,
    agent_ids: Collection[AgentId],
    *,
    now: datetime,
) -> None:
    """Agents are connected to this process; a repeat changes nothing."""
    living = select(LEASES.c.process_id).where(LEASES.c.expires_at > now)
    left_behind = delete(SOCKETS).where(
        SOCKETS.c.workspace_id == workspace_id,
        SOCKETS.c.process_id.not_in(living),
        SOCKETS.c.process_id != process_id,
    )
    await db.execute(left_behind)
    rows = [
        {"workspace_id": workspace_id, "agent_id": agent_id, "process_id": process_id}
        for agent_id in sorted(agent_ids)
    ]
    await db.execute(_insert(db, SOCKETS).on_conflict_do_nothing(), rows)


async def go(
    db: AsyncSession,
    process_id: ProcessId,
    workspace_id: WorkspaceId,
    agent_ids: Collection[AgentId],
) -> None:
    """Agents are not connected to this process any more."""
    await db.execute(
        delete(SOCKETS).where(
            SOCKETS.c.workspace_id == workspace_id,
            SOCKETS.c.agent_id.in_(agent_ids),
            SOCKETS.c.process_id == process_id,
        )
    )


async def online(
    db: AsyncSession, workspace_ids: Collection[WorkspaceId], *, now: datetime
) -> dict[WorkspaceId, dict[AgentId, Present]]:
    """The agents of workspaces who are connected to any living process."""
    query = (
        select(Agent.workspace_id, Agent.id, Agent.availability, Agent.accepting_chats)
        .join(
            SOCKETS,
            and_(SOCKETS.c.workspace_id == Agent.workspace_id, SOCKETS.c.agent_id == Agent.id),
        )
        .join(LEASES, LEASES.c.process_id == SOCKETS.c.process_id)
        .where(
            SOCKETS.c.workspace_id.in_(workspace_ids),
            LEASES.c.expires_at > now,
            Agent.status == AgentStatus.ACTIVE,
        )
    )
    found: dict[WorkspaceId, dict[AgentId, Present]] = {each: {} for each in workspace_ids}
    for row in await db.execute(query):
        found[row.workspace_id][row.id] = Present(row.availability, row.accepting_chats)
    return found


async def clean(db: AsyncSession, *, before: datetime) -> None:
    """Delete the leases that ended before then."""
    await db.execute(delete(LEASES).where(LEASES.c.expires_at < before))


def _insert(db: AsyncSession, table: Any) -> Any:
    return INSERT[db.get_bind().dialect.name](table)
