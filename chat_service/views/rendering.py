"""Render rows of the log: once for staff, once for customers, the latter by allow-list.

The event itself never changes; the resource and the session's summary are read now and may be newer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.events.log import Stream
from chat_service.messages import queries as messages
from chat_service.messages.transport import message_view
from chat_service.schema import (
    Actor,
    AuthorType,
    Cursor,
    CursorKind,
    SessionId,
    Status,
    WorkspaceId,
    fence,
)
from chat_service.sessions import queries as sessions
from chat_service.sessions.transport import OPEN_FOR_CUSTOMERS, session_view, summary_view
from chat_service.sessions.watermarks import read_marks
from chat_service.transport import ActorView
from chat_service.views.transport import CustomerEnvelope, Envelope, StaffEnvelope

NUMBERS: Final = {
    CursorKind.STAFF: "seq",
    CursorKind.PUBLIC: "public_seq",
    CursorKind.WORKSPACE: "pos",
}
SHOWN_TO_CUSTOMERS: Final = {"status", "subject", "content", "assignee"}


class Viewer(Protocol):
    """Whose view is rendered."""

    @property
    def is_customer(self) -> bool:
        """Whether the public side is shown."""

    @property
    def workspace_id(self) -> WorkspaceId:
        """Whose log this is."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What events are shown with, by id: sessions, the marks of those shown whole, messages."""

    sessions: Mapping[UUID, Any]
    marks: Mapping[UUID, Sequence[Any]]
    messages: Mapping[UUID, Any]


async def render(
    db: AsyncSession, viewer: Viewer, rows: Sequence[Row[Any]], *, kind: CursorKind
) -> list[Envelope]:
    """Envelopes of log rows, with their resources read in a query for each kind.

    `kind` is the numbering of their cursors; the rows may be of many sessions.
    """
    found = await read_resources(db, viewer.workspace_id, rows)
    return [envelope(viewer, kind, row, found) for row in rows]


async def read_resources(
    db: AsyncSession, workspace_id: WorkspaceId, rows: Sequence[Any]
) -> Resources:
    """What log rows of one workspace are shown with, to anybody."""
    session_ids = {row.session_id for row in rows if row.session_id is not None}
    message_ids = {row.message_id for row in rows if row.message_id is not None}
    found = (
        await sessions.summaries_by_id(db, workspace_id, _ids(session_ids)) if session_ids else {}
    )
    named = {row.session_id for row in rows if row.type.startswith("session.")}
    marks = await read_marks(db, [(workspace_id, one) for one in _ids(named) if one in found])
    return Resources(
        sessions=found,
        marks={session_id: some for (_, session_id), some in marks.items()},
        messages=await messages.by_id(db, workspace_id, message_ids) if message_ids else {},
    )


def _ids(values: set[UUID]) -> list[SessionId]:
    return [SessionId(value) for value in values]


def envelope(
    viewer: Viewer,
    kind: CursorKind,
    row: Row[Any],
    found: Resources,
) -> Envelope:
    """One row of the log with its resource and the summary of its session, for one viewer."""
    in_session = row.seq is not None
    session = found.sessions.get(row.session_id)
    shared: dict[str, Any] = {
        "id": row.id,
        "type": row.type,
        "timestamp": row.created_at,
        "workspace_id": row.workspace_id,
        "session_id": row.session_id,
        "stream": f"session:{row.session_id}" if in_session else "workspace",
        "seq": row.public_seq if viewer.is_customer else row.seq,
        "cursor": str(Cursor(kind, getattr(row, NUMBERS[kind]), fence(row.id))),
        "actor": _actor(viewer, row),
        "data": _data(viewer, row, found),
        "session": summary_view(viewer, session) if session is not None else None,
        "schema": 1,
    }
    if viewer.is_customer:
        return CustomerEnvelope(**shared)
    return StaffEnvelope(**shared, public_seq=row.public_seq)


def _actor(viewer: Viewer, row: Row[Any]) -> ActorView:
    """Who did it. Of staff a customer knows who wrote to him, and not who moved his session."""
    known = row.actor_type is AuthorType.CUSTOMER or row.type == "message.created"
    hidden = viewer.is_customer and not known
    return ActorView.of(Actor(row.actor_type, None if hidden else row.actor_id))


def _data(viewer: Viewer, row: Row[Any], found: Resources) -> dict[str, Any]:
    """The resource the type names, what changed, and for staff what else the event says."""
    stored = dict(row.data)
    data: dict[str, Any] = {}
    kind = row.type.partition(".")[0]
    if kind == "message" and row.message_id in found.messages:
        message = found.messages[row.message_id]
        data["message"] = message_view(viewer.is_customer, message, message["author_name"])
    elif kind == "session" and row.session_id in found.marks:
        whole = session_view(viewer, found.sessions[row.session_id], found.marks[row.session_id])
        data["session"] = whole.model_dump(mode="json")
    if viewer.is_customer:
        return data | _for_customers(stored)
    return data | stored


def _for_customers(stored: dict[str, Any]) -> dict[str, Any]:
    """Of what an event says, only what a customer may know: never a reason, team or priority."""
    shown: dict[str, Any] = {}
    if "participant" in stored:
        shown["participant"] = stored["participant"]
    if "changed" in stored:
        shown["changed"] = [name for name in stored["changed"] if name in SHOWN_TO_CUSTOMERS]
    if "changes" in stored:
        changes = {
            name: [_public_status(value) if name == "status" else value for value in pair]
            for name, pair in stored["changes"].items()
            if name in SHOWN_TO_CUSTOMERS
        }
        shown["changes"] = changes
    return shown


def _public_status(value: str) -> str:
    return Status.OPEN if Status(value) in OPEN_FOR_CUSTOMERS else Status(value)


def workspace_stream(workspace_id: WorkspaceId) -> Stream:
    """The whole log of a workspace."""
    return Stream(CursorKind.WORKSPACE, workspace_id)


def session_stream(viewer: Viewer, session_id: SessionId) -> Stream:
    """A session's log in the numbering of the viewer."""
    kind = CursorKind.PUBLIC if viewer.is_customer else CursorKind.STAFF
    return Stream(kind, viewer.workspace_id, session_id)
