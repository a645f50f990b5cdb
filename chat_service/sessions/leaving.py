"""An agent leaves: he is deactivated, and the chats he holds go back to the queue, all or nothing.

It stands here and not in `agents`, which knows no sessions: whoever changes both has to take the locks
of sessions before those of agents, so the act begins with the higher of the two.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import accounts
from chat_service.auth import Caller
from chat_service.errors import Unavailable
from chat_service.events import log
from chat_service.events.schema import Changes, SessionRequeued
from chat_service.model import ChatSession
from chat_service.schema import SessionId, Status
from chat_service.sessions import lifecycle
from chat_service.sessions.lifecycle import Action


async def deactivate(db: AsyncSession, caller: Caller, agent_id: UUID, *, now: datetime) -> None:
    """Deactivate an agent and requeue his sessions; a repeat changes nothing.

    Raises NotFound, Forbidden and LastOwner, and Unavailable where he was given another session
    meanwhile: it cannot be locked any more, and the whole is to be tried again.
    """
    held = await _lock_held(db, caller, agent_id)
    if not await accounts.deactivate(db, caller, agent_id, now=now):
        return
    await _require_all(db, caller, agent_id, {session.id for session in held})
    for session in held:
        _requeue(db, caller, session, now=now)


async def _lock_held(db: AsyncSession, caller: Caller, agent_id: UUID) -> Sequence[ChatSession]:
    query = (
        select(ChatSession)
        .where(*_held_by(caller, agent_id))
        .order_by(ChatSession.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return (await db.scalars(query)).all()


async def _require_all(
    db: AsyncSession, caller: Caller, agent_id: UUID, locked: Collection[SessionId]
) -> None:
    """Whoever gives him a session locks him for it, so from here on there comes no other."""
    query = select(ChatSession.id).where(*_held_by(caller, agent_id))
    if not set(await db.scalars(query)) <= set(locked):
        raise Unavailable("The agent was given a session meanwhile")


def _held_by(caller: Caller, agent_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return (
        ChatSession.workspace_id == caller.workspace_id,
        ChatSession.assignee_id == agent_id,
        ChatSession.status != Status.CLOSED,
    )


def _requeue(db: AsyncSession, caller: Caller, session: ChatSession, *, now: datetime) -> None:
    """Back to the queue, where it waits since the customer does, or from now on."""
    status = lifecycle.after(session.status, Action.REQUEUE, assigned=False)
    changes: Changes = {"assignee": (str(session.assignee_id), None)}
    if status is not session.status:
        changes["status"] = (session.status, status)
    session.assignee_id, session.status = None, status
    session.queued_at = session.waiting_since or now
    requeued = SessionRequeued(
        workspace_id=session.workspace_id,
        session_id=session.id,
        actor=caller.actor,
        at=now,
        changes=changes,
    )
    log.record(db, requeued, session)
