"""A message on its way to the log: made, checked, fingerprinted. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from chat_service.auth import Caller, require
from chat_service.config import Limits
from chat_service.errors import FieldError, Forbidden, ValidationFailed
from chat_service.schema import MessageId, Permission, SessionId, Visibility

OVERHEAD: Final = 1_024
"""Bytes a draft takes beside its words and data, for the bound of a batch."""
Key = tuple[SessionId, str, str]
"""What makes a message unique: session, author slot, client_message_id."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A message on its way to the log."""

    caller: Caller
    session_id: SessionId
    client_message_id: str
    content: dict[str, Any]
    visibility: Visibility
    reply_to_id: MessageId | None
    metadata: dict[str, Any]
    public_metadata: dict[str, Any]
    fingerprint: bytes

    @property
    def key(self) -> Key:
        """The natural key of the message."""
        return self.session_id, self.caller.actor.slot or "", self.client_message_id

    @property
    def size(self) -> int:
        """Bytes it takes, for the bound of a batch."""
        given = self.content, self.metadata, self.public_metadata
        return OVERHEAD + sum(len(orjson.dumps(part)) for part in given)


@dataclass(frozen=True, slots=True)
class Sent:
    """A stored message: a row of `chat_messages` by column name."""

    row: Mapping[str, Any]
    author_name: str | None
    repeated: bool


def draft_of(
    caller: Caller,
    session_id: SessionId,
    *,
    client_message_id: str,
    content: dict[str, Any],
    visibility: Visibility,
    reply_to_id: UUID | None,
    metadata: dict[str, Any],
    public_metadata: dict[str, Any],
    limits: Limits,
) -> Draft:
    """A draft that its caller may send; raises Forbidden or ValidationFailed.

    The right to this very session is checked in the batch, on the locked row.
    """
    _check_right(caller, visibility, metadata)
    check_sizes(content, metadata, public_metadata, limits)
    reply = None if reply_to_id is None else MessageId(reply_to_id)
    return Draft(
        caller=caller,
        session_id=session_id,
        client_message_id=client_message_id,
        content=content,
        visibility=visibility,
        reply_to_id=reply,
        metadata=metadata,
        public_metadata=public_metadata,
        fingerprint=fingerprint(content, visibility, reply),
    )


def fingerprint(content: dict[str, Any], visibility: Visibility, reply: UUID | None) -> bytes:
    """SHA-256 of what makes a repeat a repeat."""
    canonical = orjson.dumps([content, visibility, reply], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).digest()


def _check_right(caller: Caller, visibility: Visibility, metadata: dict[str, Any]) -> None:
    if caller.is_customer:
        if visibility is Visibility.INTERNAL or metadata:
            raise Forbidden("Only staff write notes and metadata")
    elif visibility is Visibility.INTERNAL:
        require(caller, Permission.MESSAGES_WRITE_NOTE)
    else:
        require(caller, Permission.MESSAGES_WRITE)


def check_sizes(
    content: dict[str, Any],
    metadata: dict[str, Any],
    public_metadata: dict[str, Any],
    limits: Limits,
) -> None:
    """Bound words and data; raises ValidationFailed with each that is too long."""
    bounds = (
        ("/content/text", len(content["text"].encode()), limits.message_bytes),
        ("/metadata", len(orjson.dumps(metadata)), limits.attributes_bytes),
        ("/public_metadata", len(orjson.dumps(public_metadata)), limits.attributes_bytes),
    )
    errors = [
        FieldError(pointer, "too_long", f"must have at most {most} bytes in UTF-8")
        for pointer, size, most in bounds
        if size > most
    ]
    if errors:
        raise ValidationFailed(errors=errors)
