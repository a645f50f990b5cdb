"""A database that was restored to an older state under a running service, and one that forgot."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, insert, select, update

from chat_service.events.log import EVENTS, HEAD
from chat_service.model import ChatMessage, TeamMember, table_of
from chat_service.sessions.queries import SESSIONS
from chat_service.test.builders import Workspace, writing

MESSAGES = table_of(ChatMessage)
MEMBERS = table_of(TeamMember)


@dataclass
class Rewind:
    """A workspace as it was, to be brought back."""

    workspace: Workspace
    pos: int
    last_id: UUID
    sessions: list[Row[Any]]
    members: list[dict[str, Any]]

    @classmethod
    async def note(cls, workspace: Workspace) -> "Rewind":
        """How it stands now."""
        async with writing(workspace.service) as db:
            head = select(HEAD.c.pos, HEAD.c.last_id).where(HEAD.c.workspace_id == workspace.id)
            pos, last_id = (await db.execute(head)).one()
            query = select(SESSIONS).where(SESSIONS.c.workspace_id == workspace.id)
            sessions = list((await db.execute(query)).all())
            members = await db.execute(
                select(MEMBERS).where(MEMBERS.c.workspace_id == workspace.id)
            )
            return cls(workspace, pos, last_id, sessions, [dict(row._mapping) for row in members])

    async def do(self) -> None:
        """Bring it back: what was written since is gone. The service looks at the heads at once."""
        here = self.workspace.id
        async with writing(self.workspace.service) as db:
            lost = select(EVENTS.c.message_id).where(
                EVENTS.c.workspace_id == here, EVENTS.c.pos > self.pos
            )
            await db.execute(
                delete(MESSAGES).where(MESSAGES.c.workspace_id == here, MESSAGES.c.id.in_(lost))
            )
            await db.execute(
                delete(EVENTS).where(EVENTS.c.workspace_id == here, EVENTS.c.pos > self.pos)
            )
            await db.execute(
                update(HEAD)
                .where(HEAD.c.workspace_id == here)
                .values(pos=self.pos, last_id=self.last_id)
            )
            known = [session.id for session in self.sessions]
            await db.execute(
                delete(SESSIONS).where(SESSIONS.c.workspace_id == here, SESSIONS.c.id.not_in(known))
            )
            for session in self.sessions:
                await db.execute(
                    update(SESSIONS)
                    .where(SESSIONS.c.workspace_id == here, SESSIONS.c.id == session.id)
                    .values(dict(session._mapping))
                )
            await db.execute(delete(MEMBERS).where(MEMBERS.c.workspace_id == here))
            if self.members:
                await db.execute(insert(MEMBERS), self.members)
        self.workspace.service.hub.feeds.hurry()


async def raise_floor(workspace: Workspace) -> None:
    """Let retention have passed the end of the log: every cursor before it has expired."""
    async with writing(workspace.service) as db:
        await db.execute(
            update(HEAD).where(HEAD.c.workspace_id == workspace.id).values(floor=HEAD.c.pos)
        )
