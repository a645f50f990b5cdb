"""Wire models of a workspace, and of the log of who did what in it."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from chat_service.schema import Outcome
from chat_service.transport import ActorView, Name, Page, Request, Response, Time, example

Slug = Annotated[
    str, Field(pattern="^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", examples=["example-shop"])
]
"""The name of a workspace at sign-in: letters, digits and hyphens inside, as in a host's name."""


class PatchWorkspace(Request):
    """What is left out or null stays."""

    model_config = example(name="Example Shop")

    name: Name | None = None


class WorkspaceView(Response):
    """A tenant."""

    object: str = Field(examples=["workspace"])
    id: UUID
    slug: str
    name: str
    created_at: Time


class WorkspaceResponse(Response):
    """One workspace."""

    workspace: WorkspaceView


class TargetView(Response):
    """What was acted upon: a noun of the API, and its id."""

    type: str
    id: str


class AuditEntryView(Response):
    """One act, done or refused. `fields` are names of what was changed; values are never kept."""

    object: str = Field(examples=["audit_entry"])
    id: UUID
    workspace_id: UUID
    at: Time
    actor: ActorView
    token_id: UUID | None
    action: str = Field(examples=["api_key.created"])
    outcome: Outcome
    target: TargetView | None
    fields: list[str]
    address: str | None
    request_id: str | None


class AuditPage(Page[AuditEntryView]):
    """Entries, newest first."""
