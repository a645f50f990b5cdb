"""Wire models of messages: for staff, and the allow-list for customers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from chat_service.schema import AuthorType, Cursor, CursorKind, Visibility, fence
from chat_service.transport import (
    Attributes,
    ClientId,
    Json,
    Request,
    Response,
    Text,
    Time,
    example,
    rfc3339,
    shown_name,
)


class TextContent(Request):
    """Words, plain or in markdown; at most 16 KiB in UTF-8, stored as typed."""

    type: Literal["text"]
    text: Text = Field(min_length=1, examples=["Hello"])
    format: Literal["plain", "markdown"] = "plain"


class NewMessage(Request):
    """A message. Its author is the caller; a note is an internal message, written by staff."""

    model_config = example(client_message_id="m-1", content={"type": "text", "text": "Hello"})

    client_message_id: ClientId | None = Field(
        default=None, description="Required, here or as `Idempotency-Key`.", examples=["m-1"]
    )
    content: TextContent
    visibility: Literal[Visibility.PUBLIC, Visibility.INTERNAL] = Visibility.PUBLIC
    reply_to_id: UUID | None = None
    metadata: Attributes = Field(default_factory=dict, description="For staff only.")
    public_metadata: Attributes = Field(default_factory=dict)


class EditMessage(Request):
    """New words for a message."""

    model_config = example(content={"type": "text", "text": "Hello again"})

    content: TextContent


class Author(Response):
    """Who wrote a message."""

    type: AuthorType
    id: UUID | None
    display_name: str | None


class TextContentView(Response):
    """The words of a message."""

    type: str
    text: str
    format: str


class CustomerMessage(Response):
    """A message as the customer sees it; `seq` is its public number."""

    object: str = Field(examples=["message"])
    id: UUID
    session_id: UUID
    seq: int
    client_message_id: str | None
    author: Author
    visibility: Visibility
    content: TextContentView | None = Field(description="Null once the message was deleted.")
    reply_to_id: UUID | None
    public_metadata: dict[str, Any]
    version: int
    created_at: Time
    edited_at: Time | None
    deleted_at: Time | None


class StaffMessage(CustomerMessage):
    """A message as staff see it; `public_seq` is null on notes."""

    public_seq: int | None
    metadata: dict[str, Any]


MessageView = StaffMessage | CustomerMessage


class MessageResponse(Response):
    """One message."""

    message: MessageView


class SentResponse(Response):
    """The stored message, and the cursor behind it in the session's log."""

    message: MessageView
    cursor: str


class MessageLinks(Response):
    """Where the conversation goes on: values for `before_seq` and `after_seq`.

    `has_more` tells whether it does in the direction that was asked for, around in either.
    """

    before_seq: int | None
    after_seq: int | None
    has_more: bool


class AsOf(Response):
    """The state of the session's log that a page was read at."""

    seq: int
    cursor: str


class MessagePage(Response):
    """Messages in their order; `as_of` is where to follow the session's events from."""

    data: list[MessageView]
    page: MessageLinks
    as_of: AsOf


def message_view(is_customer: bool, row: Mapping[Any, Any], author_name: str | None) -> Json:
    """A row of `chat_messages` as StaffMessage or CustomerMessage, ready to be written as JSON.

    The values are ours and this is the busiest way out, so no model is made of them; a test holds
    the two together.
    """
    view: Json = {
        "object": "message",
        "id": str(row["id"]),
        "session_id": str(row["session_id"]),
        "seq": row["public_seq"] if is_customer else row["seq"],
        "client_message_id": row["client_message_id"],
        "author": {
            "type": row["author_type"],
            "id": _text(row["author_id"]),
            "display_name": None if author_name is None else shown_name(author_name),
        },
        "visibility": row["visibility"],
        "content": row["content"],
        "reply_to_id": _text(row["reply_to_id"]),
        "public_metadata": row["public_metadata"],
        "version": row["version"],
        "created_at": rfc3339(row["created_at"]),
        "edited_at": _time(row["edited_at"]),
        "deleted_at": _time(row["deleted_at"]),
    }
    if not is_customer:
        view |= {"public_seq": row["public_seq"], "metadata": row["metadata"]}
    return view


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _time(value: datetime | None) -> str | None:
    return None if value is None else rfc3339(value)


def message_cursor(is_customer: bool, row: Mapping[str, Any]) -> str:
    """The cursor behind a message: its `message.created` event has the message's own id."""
    if is_customer:
        return str(Cursor(CursorKind.PUBLIC, row["public_seq"], fence(row["id"])))
    return str(Cursor(CursorKind.STAFF, row["seq"], fence(row["id"])))


def message_etag(view: Json) -> str:
    """The entity tag of a message."""
    return f'"s{view["version"]}"'
