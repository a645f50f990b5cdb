"""Who takes part in a session. How far each has read stands in `watermarks`, and in the same row."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.auth import Caller
from chat_service.events import log
from chat_service.events.schema import ParticipantJoined
from chat_service.model import ChatSession, Participant, table_of
from chat_service.schema import Actor, SessionId, Visibility, WorkspaceId

PARTICIPANTS: Final = table_of(Participant)
MARKS: Final = ("read_seq", "read_public_seq", "delivered_seq", "delivered_public_seq")


def new_row(
    workspace_id: WorkspaceId,
    session_id: SessionId,
    actor: Actor,
    *,
    now: datetime,
    visibility: Visibility = Visibility.PUBLIC,
) -> dict[str, Any]:
    """The row of an actor who begins to take part and has read nothing yet."""
    return {
        "workspace_id": workspace_id,
        "session_id": session_id,
        "type": actor.type,
        "id": actor.id,
        "visibility": visibility,
        "joined_at": now,
        "left_at": None,
        **dict.fromkeys(MARKS, 0),
        "marks_version": 0,
    }


async def join(
    db: AsyncSession, caller: Caller, session: ChatSession, actor: Actor, *, now: datetime
) -> None:
    """Make an actor a public participant, once."""
    key = (session.workspace_id, session.id, actor.type, actor.id)
    found = await db.get(Participant, key)
    if found is not None and found.visibility is Visibility.PUBLIC:
        return
    if found is None:
        db.add(Participant(**new_row(session.workspace_id, session.id, actor, now=now)))
    else:
        found.visibility = Visibility.PUBLIC  # until now only his colleagues saw him read along
    joined = ParticipantJoined(
        workspace_id=session.workspace_id,
        session_id=session.id,
        actor=caller.actor,
        at=now,
        participant=actor,
    )
    log.record(db, joined, session)
