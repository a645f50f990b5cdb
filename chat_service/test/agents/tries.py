"""Guesses at passwords, each from an address of its choice."""

from collections.abc import Mapping

import httpx2

from chat_service.app import Service
from chat_service.test.builders import PASSWORD, Json, Workspace


def home_of(workspace: Workspace) -> str:
    """An address that nobody else has."""
    text = workspace.id.hex
    return f"2001:db8:{text[-8:-4]}:{text[-4:]}::1"


async def sign_in(
    service: Service, body: Json, address: str, headers: Mapping[str, str] | None = None
) -> httpx2.Response:
    """One try at signing in from an address."""
    app = httpx2.ASGITransport(app=service, client=(address, 40_000))
    async with httpx2.AsyncClient(transport=app, base_url="http://test") as client:
        return await client.post("/v1/auth/sign-in", json=body, headers=headers)


async def guess(
    workspace: Workspace,
    email: str,
    address: str = "",
    password: str = "wrong",
    headers: Mapping[str, str] | None = None,
) -> int:
    """The status of a try in a workspace: 400 where it was evaluated, 429 where it was not."""
    body = {"email": email, "password": password, "workspace": workspace.slug}
    place = address or home_of(workspace)
    return (await sign_in(workspace.service, body, place, headers)).status_code


async def knows(workspace: Workspace, email: str, address: str = "") -> int:
    """The status of a try with the right password."""
    return await guess(workspace, email, address, PASSWORD)
