"""Where the service says its sockets are, and what a request's own words are worth for it."""

from typing import Any

import httpx2
import pytest

from chat_service.test.addresses import build_stage
from chat_service.test.browsers import another_installation, signing_in
from chat_service.test.builders import Workspace
from chat_service.test.snapshot import rows_of


async def sockets_told_of(client: httpx2.AsyncClient, place: Workspace, **headers: str) -> set[Any]:
    """The addresses of sockets in every answer that has one."""
    agent = await place.agent()
    body = signing_in(place, agent, cookie=False)
    signed_in = await client.post("/v1/auth/sign-in", json=body, headers=headers)
    path = f"/v1/inboxes/{place.inbox_key}/customers"
    made = await client.post(path, json={}, headers=headers)
    token = {"refresh_token": made.json()["refresh_token"]}
    renewed = await client.post("/v1/auth/token", json=token, headers=headers)
    customer = {"Authorization": f"Bearer {made.json()['access_token']}", **headers}
    begin = {"client_session_id": "visit-1"}
    begun = [await client.post("/v1/sessions", json=begin, headers=customer) for _ in range(2)]
    bearer = {"Authorization": f"Bearer {signed_in.json()['access_token']}", **headers}
    ticket = await client.post("/v1/realtime/tickets", json={}, headers=bearer)
    answers = [signed_in, made, renewed, *begun, ticket]
    assert [one.status_code for one in answers] == [200, 201, 200, 201, 200, 201]
    return {one.json()["websocket_url"] for one in answers}


@pytest.mark.asvs("4.1.3")
async def test_sockets_are_where_the_request_was_sent(workspace: Workspace) -> None:
    forged = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "Forwarded": "host=evil.example;proto=https",
    }
    told = await sockets_told_of(workspace.client, workspace, **forged)
    assert told == {"ws://test/v1/realtime"}
    async with another_installation(workspace.service, "https://Chat.example:8443") as client:
        told = await sockets_told_of(client, workspace)
    assert told == {"wss://chat.example:8443/v1/realtime"}


@pytest.mark.asvs("4.1.3")
async def test_a_public_url_is_believed_and_no_host(workspace: Workspace) -> None:
    public = "https://chat.example.org"
    async with another_installation(workspace.service, "http://10.0.0.7:8080", public) as client:
        for host in ("chat.example.org", "evil.example", "no host at all/", "a\t:b"):
            told = await sockets_told_of(client, workspace, Host=host)
            assert told == {"wss://chat.example.org/v1/realtime"}


@pytest.mark.parametrize("host", ["", "evil.example/x", "a b", "user@host", "host:port"])
@pytest.mark.asvs("2.2.1")
async def test_a_host_that_is_none_is_400_and_changes_nothing(
    workspace: Workspace, host: str
) -> None:
    stage = await build_stage(workspace)
    before = await rows_of(workspace)
    for address in (
        "POST /v1/auth/sign-in",
        "POST /v1/auth/token",
        "POST /v1/inboxes/{inbox_key}/customers",
        "POST /v1/sessions",
        "POST /v1/realtime/tickets",
    ):
        response = await stage.call(address, headers={"Host": host})
        assert (response.status_code, response.json()["code"]) == (400, "bad_request"), address
    assert await rows_of(workspace) == before
