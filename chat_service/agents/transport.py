"""Wire models of agents and of signing in."""

from uuid import UUID

from pydantic import EmailStr, Field

from chat_service.schema import Role
from chat_service.transport import Request, Response, Text, example


class SignIn(Request):
    """E-mail and password of an agent; `workspace` (its slug) where there is more than one."""

    model_config = example(email="owner@example.org", password="correct horse battery staple")

    email: EmailStr = Field(max_length=254, examples=["owner@example.org"])
    password: Text = Field(min_length=1, max_length=1024)
    workspace: Text | None = Field(default=None, max_length=63)


class AgentView(Response):
    """A member of staff."""

    object: str = Field(examples=["agent"])
    id: UUID
    workspace_id: UUID
    email: str
    display_name: str
    role: Role


class SignedIn(Response):
    """A token for the `Authorization: Bearer` header, and how many seconds it lives."""

    agent: AgentView
    access_token: str
    expires_in: int
