"""The log as it is stored, and facts to record in it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.app import Service
from chat_service.events import log
from chat_service.events.log import EVENTS
from chat_service.events.schema import SessionUpdated, TokenRevoked
from chat_service.events.transaction import reading
from chat_service.model import ChatSession, FeedHead
from chat_service.schema import (
    Actor,
    Audience,
    AuthorType,
    SessionId,
    TokenId,
    WorkspaceId,
    new_id,
    utc_now,
)
from chat_service.test.builders import Workspace, writing

SYSTEM = Actor(AuthorType.SYSTEM, None)


@asynccontextmanager
async def snapshot(service: Service) -> AsyncIterator[AsyncSession]:
    """A read of a service's database, outside of a request."""
    with service.database.bound():
        async with reading() as db:
            yield db


def fact(workspace_id: WorkspaceId) -> TokenRevoked:
    """Something that happened in a workspace and in none of its sessions."""
    token_id = TokenId(new_id())
    return TokenRevoked(workspace_id=workspace_id, actor=SYSTEM, at=utc_now(), token_id=token_id)


def change(session: ChatSession, audience: Audience = Audience.PUBLIC) -> SessionUpdated:
    """Something that happened in a session."""
    assert audience is not Audience.WORKSPACE
    return SessionUpdated(
        workspace_id=session.workspace_id,
        session_id=session.id,
        actor=SYSTEM,
        at=utc_now(),
        audience=audience,
        changed=["tags"],
    )


async def fetch(db: AsyncSession, workspace: Workspace, session_id: str) -> ChatSession:
    """A session, for a change in a transaction."""
    query = select(ChatSession).where(
        ChatSession.workspace_id == workspace.id, ChatSession.id == UUID(session_id)
    )
    return (await db.scalars(query)).one()


async def record_facts(workspace: Workspace, count: int) -> None:
    """Let so many things happen in a workspace, in one transaction."""
    async with writing(workspace.service) as db:
        for _ in range(count):
            log.record(db, fact(workspace.id))


async def stored(workspace: Workspace, session_id: str | None = None) -> Sequence[Row[Any]]:
    """The rows of a workspace's log, or of one session's part of it, by `pos`."""
    query = select(EVENTS).where(EVENTS.c.workspace_id == workspace.id).order_by(EVENTS.c.pos)
    if session_id is not None:
        query = query.where(EVENTS.c.session_id == SessionId(UUID(session_id)))
    async with snapshot(workspace.service) as db:
        return (await db.execute(query)).all()


async def head_of(workspace: Workspace) -> FeedHead:
    """Where a workspace's log ends."""
    async with snapshot(workspace.service) as db:
        query = select(FeedHead).where(FeedHead.workspace_id == workspace.id)
        return (await db.scalars(query)).one()
