"""Pages of other sites: which may ask for what, and what they may read.

Seen elsewhere: one line that let every page of the world call everything.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import attrs
import httpx2
import pytest

from chat_service.app import Service
from chat_service.schema import Permission
from chat_service.test.addresses import BODIES, Stage, addresses, build_stage, in_turn
from chat_service.test.browsers import another_installation
from chat_service.test.builders import ORIGIN, Workspace, build_workspace
from chat_service.test.events.apart import client_of
from chat_service.test.rows import set_inbox
from chat_service.test.snapshot import rows_of

FOR_WIDGETS: Final = {
    "POST /v1/inboxes/{inbox_key}/customers",
    "POST /v1/auth/token",
    "POST /v1/auth/sign-out",
    "GET /v1/customers/me",
    "PATCH /v1/customers/me",
    "POST /v1/sessions",
    "GET /v1/sessions",
    "GET /v1/sessions/{session_id}",
    "POST /v1/sessions/{session_id}/close",
    "GET /v1/sessions/{session_id}/events",
    "GET /v1/sessions/{session_id}/messages",
    "POST /v1/sessions/{session_id}/messages",
    "GET /v1/sessions/{session_id}/messages/{message_id}",
    "PATCH /v1/sessions/{session_id}/messages/{message_id}",
    "DELETE /v1/sessions/{session_id}/messages/{message_id}",
    "PUT /v1/sessions/{session_id}/read-state",
    "POST /v1/sessions/{session_id}/typing",
}
"""What a page of an inbox may call: all that serves customers, and nothing else."""
pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True, scope="session")
OTHERS: Final = [
    "null",
    "",
    "*",
    "https://evil.example",
    "https://sub.shop.example.org",
    "https://shop.example.org.evil.example",
    "https://SHOP.example.org",
    "https://shop.example.org:443",
    "https://shop.example.org/",
    "http://shop.example.org",
    f"{ORIGIN}, https://evil.example",
]
READABLE: Final = {
    "access-control-allow-origin": ORIGIN,
    "access-control-expose-headers": "Request-Id, ETag, Retry-After, RateLimit, RateLimit-Policy",
}
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "BREW", "")


@pytest.fixture(scope="module")
async def shop(service: Service) -> AsyncIterator[Stage]:
    """A workspace whose inbox lists the shop; nothing is changed in it."""
    async with client_of(service) as client:
        yield await build_stage(await build_workspace(service, client))


async def preflight(
    stage: Stage, path: str, method: str, origin: str | None = ORIGIN
) -> httpx2.Response:
    """What a browser asks before it sends a page's request; it never shows a token."""
    headers = {"Access-Control-Request-Method": method} if method else {}
    headers["Access-Control-Request-Headers"] = "authorization,content-type"
    headers |= {} if origin is None else {"Origin": origin}
    return await stage.workspace.client.request("OPTIONS", path, headers=headers)


def shared(response: httpx2.Response) -> dict[str, str]:
    """What an answer tells of pages of other sites."""
    return {name: value for name, value in response.headers.items() if "access-control" in name}


@pytest.mark.asvs("3.4.2")
@pytest.mark.api_top10("API8")
@pytest.mark.parametrize("address", addresses())
async def test_a_preflight_is_answered_for_widgets_on_listed_pages_alone(
    shop: Stage, address: str
) -> None:
    path = shop.path(address)
    for method in METHODS:
        told = shared(await preflight(shop, path, method))
        asked = "GET" if method == "HEAD" else method
        if f"{asked} {address.partition(' ')[2]}" not in FOR_WIDGETS:
            assert told == {}, method
            continue
        assert told == {
            "access-control-allow-origin": ORIGIN,
            "access-control-allow-methods": method,
            "access-control-allow-headers": "Authorization, Content-Type, Idempotency-Key, "
            "If-Match, If-None-Match, Last-Event-ID",
            "access-control-max-age": "600",
        }


@pytest.mark.asvs("3.4.2")
@pytest.mark.parametrize("address", sorted(FOR_WIDGETS))
async def test_a_preflight_of_another_page_is_told_nothing(shop: Stage, address: str) -> None:
    method, path = address.partition(" ")[0], shop.path(address)
    for origin in (*OTHERS, None):
        response = await preflight(shop, path, method, origin)
        assert (response.status_code, shared(response)) == (200, {}), origin


async def test_a_preflight_needs_no_token_and_asks_for_none(shop: Stage) -> None:
    response = await preflight(shop, "/v1/sessions", "POST")
    assert (response.status_code, response.content) == (200, b"")
    assert "WWW-Authenticate" not in response.headers
    assert response.headers["Vary"] == "Origin"


@pytest.mark.asvs("3.4.2")
async def test_an_answer_is_read_by_pages_of_the_inbox_alone(workspace: Workspace) -> None:
    stage = await build_stage(workspace)
    for address in in_turn():
        for origin in OTHERS:
            other = await stage.call(address, headers={"Origin": origin}, caller=customers(address))
            assert shared(other) == {}, (address, origin)
        listed = await stage.call(address, headers={"Origin": ORIGIN}, caller=customers(address))
        assert shared(listed) == (READABLE if address in FOR_WIDGETS else {}), address


def customers(address: str) -> str | None:
    """A customer, where he is served."""
    return "customer" if address in FOR_WIDGETS else None


@pytest.mark.asvs("3.5.2")
@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
async def test_what_a_page_may_send_unasked_is_no_body_here(shop: Stage, media_type: str) -> None:
    """A form needs no preflight, so nothing that has a body may be done by one."""
    before = await rows_of(shop.workspace)
    for address in BODIES:
        headers = {"Content-Type": media_type, "Origin": ORIGIN}
        content = json.dumps(BODIES[address](shop)).encode()
        refused = await shop.call(
            address, caller=customers(address), content=content, headers=headers
        )
        assert (refused.status_code, refused.json()["code"]) == (415, "unsupported_media_type")
    assert await rows_of(shop.workspace) == before


@pytest.mark.asvs("3.5.3")
async def test_what_only_reads_changes_nothing(shop: Stage) -> None:
    before = await rows_of(shop.workspace)
    for address in addresses():
        if address.startswith("GET"):
            await shop.call(address)
    assert await rows_of(shop.workspace) == before


async def test_pages_may_read_why_they_were_refused(shop: Stage) -> None:
    headers = {"Origin": ORIGIN, "Authorization": "Bearer expired"}
    refused = await shop.workspace.client.get("/v1/sessions", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert shared(refused)["access-control-allow-origin"] == ORIGIN


@pytest.mark.asvs("3.4.2")
async def test_what_staff_are_answered_is_read_by_no_other_page(shop: Stage) -> None:
    for person in (shop.agent, await shop.workspace.key(list(Permission))):
        answer = await person.get("/v1/sessions", headers={"Origin": ORIGIN})
        assert (answer.status_code, shared(answer)) == (200, {})


@pytest.mark.asvs("3.5.1")
async def test_a_customer_is_heard_on_pages_of_his_own_inbox_alone(workspace: Workspace) -> None:
    elsewhere = await build_workspace(workspace.service, workspace.client)
    await set_inbox(elsewhere, allowed_origins=["https://elsewhere.example"])
    stage = await build_stage(workspace)
    for address in sorted(FOR_WIDGETS - {"POST /v1/auth/token"}):
        headers = {"Origin": "https://elsewhere.example"}
        refused = await stage.call(address, headers=headers, caller="customer")
        assert (refused.status_code, refused.json()["code"]) == (403, "origin_not_allowed")


@pytest.mark.asvs("16.5.3")
async def test_without_a_database_no_page_is_known(service: Service, tmp_path: Path) -> None:
    nowhere = attrs.evolve(service.config.database, url=f"sqlite:///{tmp_path}")
    async with another_installation(service, "http://test", database=nowhere) as client:
        headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
        response = await client.request("OPTIONS", "/v1/sessions", headers=headers)
    assert (response.status_code, shared(response)) == (200, {})
