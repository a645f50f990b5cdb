"""Wire models of API keys."""

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from chat_service.schema import Permission, Role
from chat_service.transport import WHOLE, Name, Request, Response, Time, example

DAYS: Final = 365
MOST_DAYS: Final = 3_650
Days = Annotated[int, Field(ge=1, le=MOST_DAYS), WHOLE]


class NewApiKey(Request):
    """What a program may do: by permissions, or by the role of a bot; one of the two."""

    model_config = example(name="Order system", scopes=["sessions:read_all", "messages:write"])

    name: Name = Field(description="What the key is for; shown as author of its messages.")
    scopes: list[Permission] | None = Field(default=None, min_length=1, max_length=100)
    role: Literal[Role.BOT] | None = None
    expires_in_days: Days = DAYS

    @model_validator(mode="after")
    def _one_of_the_two(self) -> "NewApiKey":
        if (self.scopes is None) is (self.role is None):
            raise PydanticCustomError("one_of_two", "needs either scopes or a role")
        return self


class ApiKeyView(Response):
    """A key without its secret. `token_prefix` is how its text begins, to recognise it by.

    `last_used_at` is to the minute. `created_by` is the agent who made it, null for the command line:
    a key goes on when he leaves, until it is revoked.
    """

    object: str = Field(examples=["api_key"])
    id: UUID
    workspace_id: UUID
    name: str
    token_prefix: str
    scopes: list[Permission]
    created_by: UUID | None
    created_at: Time
    expires_at: Time | None
    last_used_at: Time | None
    revoked_at: Time | None


class ApiKeyList(Response):
    """The workspace's keys: those that were not revoked first, newest first."""

    data: list[ApiKeyView]


class ApiKeyCreated(Response):
    """A key, and its text, which is shown here and never again."""

    api_key: ApiKeyView
    token: str
