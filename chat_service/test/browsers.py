"""A page of the service itself, signed in by cookie, as a browser would send its requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import attrs
import httpx2

from chat_service.app import Service, create_app
from chat_service.test.builders import PASSWORD, Json, Person, Workspace

OWN: Final = "http://test"
"""Where the service under test is found, and so the origin of its own pages."""
COOKIE: Final = "__Host-chat"


@dataclass
class Browser(Person):
    """An agent whose token is in a cookie; `origin` is that of the page, None for a mere link."""

    origin: str | None = OWN
    cookie: str = COOKIE

    async def call(self, method: str, path: str, **rest: Any) -> httpx2.Response:
        """One request with the cookie, and no other credential unless it is given."""
        headers = {"Cookie": f"{self.cookie}={self.token}", **rest.pop("headers", {})}
        if self.origin is not None:
            headers = {"Origin": self.origin, **headers}
        return await self.client.request(method, path, headers=headers, **rest)


def signing_in(workspace: Workspace, agent: Person, **fields: Any) -> Json:
    """The body that signs an agent in by cookie."""
    email = agent.details["agent"]["email"]
    who = {"email": email, "password": PASSWORD, "workspace": workspace.slug}
    return {**who, "cookie": True, **fields}


async def sign_in_here(
    workspace: Workspace, agent: Person, *, origin: str | None = OWN
) -> httpx2.Response:
    """Sign an agent in on a page."""
    headers = {"Origin": origin} if origin is not None else {}
    body = signing_in(workspace, agent)
    return await workspace.client.post("/v1/auth/sign-in", json=body, headers=headers)


async def browse(workspace: Workspace, agent: Person | None = None) -> Browser:
    """The browser of an agent who has just signed in by cookie."""
    agent = agent or await workspace.agent()
    response = await sign_in_here(workspace, agent)
    assert response.status_code == 200, response.text
    token = response.headers["Set-Cookie"].partition(";")[0].partition("=")[2]
    return Browser(workspace.client, token, agent.id, response.json())


@asynccontextmanager
async def another_installation(
    service: Service, url: str, public_url: str = "", **config: Any
) -> AsyncIterator[httpx2.AsyncClient]:
    """The same database served under another address."""
    server = attrs.evolve(service.config.server, public_url=public_url)
    other = create_app(attrs.evolve(service.config, server=server, **config))
    app = httpx2.ASGITransport(app=other)
    async with httpx2.AsyncClient(transport=app, base_url=url) as client:
        yield client
    await other.database.engine.dispose()
