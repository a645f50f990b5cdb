"""Wire models of signing in by another site, and of an agent's accounts there."""

from typing import Final, Literal

from pydantic import Field

from chat_service.agents.transport import Code, Password
from chat_service.transport import Request, Response, Text, Time, example

FLOW_LENGTH: Final = 2_048
CODE_LENGTH: Final = 4_096


class OidcView(Response):
    """The site that agents may sign in with."""

    name: str = Field(description="The label of the button.", examples=["Example ID"])


class StartOidc(Request):
    """What somebody wants of the other site.

    `workspace` (its slug) is for `sign_in`, where there is more than one; `link_token` is the text of
    an invitation and belongs to `invitation`; `link` needs a login, and the password and code of who
    has these.
    """

    model_config = example(purpose="sign_in", workspace="acme")

    purpose: Literal["sign_in", "link", "invitation"]
    workspace: Text | None = Field(default=None, max_length=63)
    link_token: Text | None = Field(default=None, max_length=255)
    password: Password | None = None
    code: Code | None = None


class RemoveIdentity(Request):
    """The password, and a code where there is a second factor; nothing of who has neither."""

    model_config = example(password="correct horse battery staple")

    password: Password | None = None
    code: Code | None = None


class OidcStarted(Response):
    """Where to send the browser. The page keeps `flow`, for itself alone, until it comes back."""

    authorization_url: str
    flow: str
    expires_in: int


class FinishOidc(Request):
    """What the browser brought back to `/console/oidc`, with the `flow` that was kept."""

    model_config = example(flow="eyJhbGciOi…", code="SplxlOBeZQQYbYS6WxSbIA", state="af0ifjsldkj")

    flow: Text = Field(min_length=1, max_length=FLOW_LENGTH)
    code: Text = Field(min_length=1, max_length=CODE_LENGTH)
    state: Text = Field(min_length=1, max_length=255)
    iss: Text | None = Field(default=None, max_length=255)
    cookie: bool = Field(
        default=False,
        description="For pages of the service itself: the token comes as a cookie, and not in the answer.",
    )
    drop_password: bool = Field(
        default=False,
        description="Where an account is linked: sign in by it alone from now on.",
    )


class IdentityView(Response):
    """An account of another site that stands for the agent."""

    object: str = Field(examples=["identity"])
    id: str = Field(examples=["0f1e2d3c4b5a69788796a5b4c3d2e1f0"])
    issuer: str
    subject: str = Field(description="Who he is there, by that site's own id.")
    created_at: Time


class Identities(Response):
    """All of them, the oldest first."""

    data: list[IdentityView]
