"""What goes over a broker: two small kinds of message, and their bytes.

Owns their bounds. Each may be lost, doubled or late, so none is the only way in which anything is
told; and none holds the text of a message in the log.
"""

from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from chat_service.schema import SessionId, Visibility, WorkspaceId

MOST_BYTES: Final = 7_500
"""Of an encoded message with its sender; PostgreSQL carries less than 8,000."""
FRAME_BYTES: Final = 7_000


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    workspace: WorkspaceId


class Hint(_Message):
    """The log of a workspace has reached `pos`, or had when this was sent."""

    kind: Literal["hint"] = "hint"
    pos: int = Field(ge=0, lt=2**63)


class Ephemeral(_Message):
    """What is said beside the log, of a session or, without one, of the whole workspace.

    Raises ValueError where `frame` has more than FRAME_BYTES of JSON. Who receives it checks the
    audience before showing it.
    """

    kind: Literal["ephemeral"] = "ephemeral"
    session: SessionId | None
    visibility: Visibility
    frame: dict[str, Any]

    @field_validator("frame")
    @classmethod
    def _is_small(cls, frame: dict[str, Any]) -> dict[str, Any]:
        try:
            size = len(orjson.dumps(frame))
        except TypeError as error:
            raise ValueError("not JSON") from error
        if size > FRAME_BYTES:
            raise ValueError(f"{size} bytes of JSON, at most {FRAME_BYTES}")
        return frame


Message = Hint | Ephemeral

_READER: Final[TypeAdapter[Message]] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])


def encode(message: Message) -> bytes:
    """A message as JSON in UTF-8, well below MOST_BYTES."""
    return message.model_dump_json().encode()


def decode(data: bytes) -> Message:
    """Read a message; raises ValueError for anything that `encode` does not make."""
    if len(data) > MOST_BYTES:
        raise ValueError("too long")
    return _READER.validate_json(data)
