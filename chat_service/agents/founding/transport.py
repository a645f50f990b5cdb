"""Wire models of a new workspace."""

from pydantic import Field

from chat_service.agents.transport import LinkView, ManagedAgent
from chat_service.transport import Email, Name, Request, Response, example
from chat_service.workspaces.transport import Slug, WorkspaceView


class NewWorkspace(Request):
    """A tenant, and who will own it."""

    model_config = example(
        slug="example-shop",
        name="Example Shop",
        owner_email="owner@example.org",
        owner_name="Olivia Owner",
    )

    slug: Slug
    name: Name
    owner_email: Email = Field(examples=["owner@example.org"])
    owner_name: Name


class FoundedWorkspace(Response):
    """A workspace, and how its owner gets in."""

    workspace: WorkspaceView
    owner: ManagedAgent
    link: LinkView
