"""Wire models of inboxes."""

from typing import Annotated, Final
from uuid import UUID

from pydantic import Field

from chat_service.config import ORIGIN
from chat_service.transport import WHOLE, Name, Request, Response, Time, example

ORIGINS: Final = 100
YEAR_SECONDS: Final = 31_536_000

Origin = Annotated[str, Field(pattern=f"^({ORIGIN.pattern})$")]
"""Scheme, host in lower case and port where it is not the usual one; no path, as browsers send it."""
Origins = Annotated[list[Origin], Field(max_length=ORIGINS)]
ReopenSeconds = Annotated[int, Field(ge=0, le=YEAR_SECONDS), WHOLE]


class NewInbox(Request):
    """The entry point of a site. Without an origin no web page may use it."""

    model_config = example(name="Website", allowed_origins=["https://shop.example.org"])

    name: Name
    allowed_origins: Origins = Field(default=[])
    reopen_seconds: ReopenSeconds = Field(
        default=86_400,
        description="How long after its end a customer's message opens a session again.",
    )
    reply_claims: bool = Field(
        default=True, description="Whether an answer in a waiting session claims it."
    )
    assignee_only: bool = Field(
        default=False, description="Whether nobody but the assignee may answer."
    )


class PatchInbox(Request):
    """What is left out or null stays; a list of origins replaces the whole list."""

    model_config = example(allowed_origins=["https://shop.example.org"])

    name: Name | None = None
    allowed_origins: Origins | None = None
    reopen_seconds: ReopenSeconds | None = None
    reply_claims: bool | None = None
    assignee_only: bool | None = None


class InboxView(Response):
    """An inbox as staff see it; `key` is its public name, for pages and apps."""

    object: str = Field(examples=["inbox"])
    id: UUID
    workspace_id: UUID
    key: str
    name: str
    allowed_origins: list[str]
    reopen_seconds: int
    reply_claims: bool
    assignee_only: bool
    created_at: Time


class InboxResponse(Response):
    """One inbox."""

    inbox: InboxView


class InboxList(Response):
    """All inboxes of the workspace, oldest first."""

    data: list[InboxView]
