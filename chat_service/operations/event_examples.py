"""An example of each type of event, rendered as the real ones are, for staff."""

from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import Row

from chat_service.schema import (
    AuthorType,
    Channel,
    ClosedReason,
    CursorKind,
    Status,
    Visibility,
    WorkspaceId,
)
from chat_service.transport import AN_ID, Json
from chat_service.views.rendering import Resources, envelope

WHEN: Final = datetime(2026, 11, 22, 7, 38, tzinfo=UTC)
ID: Final = UUID(AN_ID)
TEXT: Final = {"type": "text", "text": "Where is my order?", "format": "plain"}
SAID: Final[dict[str, Json]] = {
    "session.created": {},
    "session.updated": {"changed": ["priority"], "changes": {"priority": [None, "high"]}},
    "session.assigned": {"changes": {"assignee": [None, AN_ID], "status": ["queued", "open"]}},
    "session.closed": {"reason": ClosedReason.RESOLVED, "changes": {"status": ["open", "closed"]}},
    "session.reopened": {"changes": {"status": ["closed", "open"]}},
    "session.requeued": {"changes": {"status": ["pending", "queued"], "assignee": [AN_ID, None]}},
    "participant.joined": {"participant": {"type": "agent", "id": AN_ID}},
    "message.created": {},
    "message.updated": {"changed": ["content"]},
    "message.deleted": {},
    "agent.created": {"agent_id": AN_ID},
    "agent.updated": {"agent_id": AN_ID, "changed": ["role"]},
    "agent.deactivated": {"agent_id": AN_ID},
    "role.updated": {"role_id": AN_ID, "changed": ["permissions"]},
    "team.updated": {"team_id": AN_ID, "agent_ids": [AN_ID]},
    "customer.updated": {"customer_id": AN_ID, "changed": ["email"]},
    "customer.merged": {"customer_id": AN_ID, "into": AN_ID},
    "customer.blocked": {"customer_id": AN_ID},
    "customer.unblocked": {"customer_id": AN_ID},
    "inbox.updated": {"inbox_id": AN_ID},
    "token.revoked": {"token_id": AN_ID},
}
"""What each type says beside its resource."""


@dataclass(frozen=True)
class Staff:
    """Whoever sees everything."""

    is_customer: bool = False
    workspace_id: WorkspaceId = WorkspaceId(ID)


def example_of(kind: Any) -> Json:
    """The envelope of one event of a type, as JSON; KeyError for a type without an example."""
    name: str = kind.model_fields["type"].default
    noun = name.partition(".")[0]
    in_session = noun in ("session", "participant", "message")
    numbered = in_session and name != "session.created"
    row = SimpleNamespace(
        id=ID,
        type=name,
        pos=903,
        seq=57 if numbered else None,
        public_seq=42 if numbered else None,
        workspace_id=ID,
        session_id=ID if in_session else None,
        message_id=ID if noun == "message" else None,
        actor_type=AuthorType.AGENT,
        actor_id=ID,
        data=SAID[name],
        created_at=WHEN,
    )
    shown = envelope(
        Staff(),
        CursorKind.STAFF if numbered else CursorKind.WORKSPACE,
        cast(Row[Any], row),
        _resources(name) if in_session else Resources({}, {}, {}),
    )
    document: Json = shown.model_dump(mode="json", by_alias=True)
    return document


def _resources(name: str) -> Resources:
    session = _session()
    return Resources(
        sessions={ID: cast(Row[Any], session)},
        marks={ID: [_mark()]},
        messages={ID: _message(deleted=name == "message.deleted")},
    )


def _session() -> Any:
    columns = ("previous_session_id", "subject", "team_id", "queued_at", "priority")
    empty = dict.fromkeys([*columns, "closed_reason", "closed_at", "waiting_since"])
    return SimpleNamespace(
        id=ID,
        workspace_id=ID,
        inbox_id=ID,
        customer_id=ID,
        status=Status.OPEN,
        channel=Channel.WEB,
        assignee_id=ID,
        assignee_name="Olivia Owner",
        tags=[],
        custom_attributes={},
        message_count=1,
        last_seq=57,
        last_public_seq=42,
        last_message_id=ID,
        last_author_type=AuthorType.CUSTOMER,
        last_content=TEXT,
        last_created_at=WHEN,
        version=58,
        created_at=WHEN,
        updated_at=WHEN,
        last_activity_at=WHEN,
        **empty,
    )


def _mark() -> Any:
    return SimpleNamespace(
        type=AuthorType.CUSTOMER, id=ID, read_seq=57, delivered_seq=57, unread_count=0
    )


def _message(*, deleted: bool) -> dict[str, Any]:
    return {
        "id": ID,
        "session_id": ID,
        "seq": 57,
        "public_seq": 42,
        "client_message_id": "m-1",
        "author_type": AuthorType.CUSTOMER,
        "author_id": ID,
        "author_name": "Ada",
        "visibility": Visibility.PUBLIC,
        "content": None if deleted else TEXT,
        "reply_to_id": None,
        "metadata": {},
        "public_metadata": {},
        "version": 2 if deleted else 1,
        "created_at": WHEN,
        "edited_at": None,
        "deleted_at": WHEN if deleted else None,
    }
