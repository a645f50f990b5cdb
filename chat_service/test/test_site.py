"""Logins by cookie: what the cookie is like, what it opens, and whose pages may write by it."""

import httpx2
import pytest

from chat_service.schema import Role
from chat_service.test.addresses import BODIES, OFF, Stage, build_stage, in_turn, who_of
from chat_service.test.browsers import (
    COOKIE,
    OWN,
    Browser,
    another_installation,
    browse,
    sign_in_here,
    signing_in,
)
from chat_service.test.builders import Person, Workspace
from chat_service.test.rows import deactivate
from chat_service.test.snapshot import rows_of
from chat_service.web import Who

OTHER_PAGES = [
    None,
    "",
    "null",
    "http://evil.example",
    "http://sub.test",
    "http://test.evil.example",
    "http://Test",
    "http://test:80",
    "http://test:8080",
    "https://test",
    "http://test/",
    "http://test, http://test",
]
WRITES = [
    address
    for address in sorted(in_turn(), key=lambda each: each.endswith("/sign-out"))
    if not address.startswith("GET") and Who.AGENT in who_of(address) and address not in OFF
]


REFUSED = {
    # Only the author may edit, and the message is the customer's.
    "PATCH /v1/sessions/{session_id}/messages/{message_id}": (403, "forbidden"),
    # The team and the other logins went before.
    "DELETE /v1/teams/{team_id}/members/{agent_id}": (404, "not_found"),
    "DELETE /v1/agents/me/logins/{login_id}": (404, "not_found"),
    # It was closed before.
    "POST /v1/sessions/{session_id}/messages": (409, "session_closed"),
    # The inbox has no key.
    "DELETE /v1/inboxes/{inbox_id}/keys/{signing_key_id}": (404, "not_found"),
    # It was begun, but nobody knows the code, and nothing was confirmed.
    "POST /v1/agents/me/second-factor/confirm": (400, "invalid_grant"),
    "DELETE /v1/agents/me/second-factor": (409, "second_factor_off"),
}
"""What a good write is refused for all the same."""


def cookie_of(response: httpx2.Response) -> tuple[str, str, set[str]]:
    """The one cookie an answer sets: name, value, attributes."""
    (header,) = response.headers.get_list("Set-Cookie")
    pair, *attributes = header.split("; ")
    name, _, value = pair.partition("=")
    return name, value, set(attributes)


@pytest.mark.asvs("3.3.1", "3.3.2", "3.3.3", "3.3.4")
@pytest.mark.api_top10("API2")
async def test_a_login_by_cookie_tells_no_script_its_token(workspace: Workspace) -> None:
    response = await sign_in_here(workspace, await workspace.agent())
    assert (response.status_code, response.json()["access_token"]) == (200, None)
    name, token, attributes = cookie_of(response)
    assert (name, token.startswith(f"at_{workspace.id.hex}_")) == (COOKIE, True)
    expected = {"HttpOnly", "Max-Age=43200", "Path=/", "SameSite=Strict", "Secure"}
    assert {one for one in attributes if not one.startswith("Expires=")} == expected
    assert token not in response.text


async def test_a_login_without_asking_for_one_sets_no_cookie(workspace: Workspace) -> None:
    agent = await workspace.agent()
    for asked in (False, None):
        body = signing_in(workspace, agent, cookie=asked)
        if asked is None:
            del body["cookie"]
        headers = {"Origin": OWN}
        response = await workspace.client.post("/v1/auth/sign-in", json=body, headers=headers)
        assert response.json()["access_token"].startswith("at_")
        assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("origin", OTHER_PAGES)
@pytest.mark.asvs("3.5.1")
@pytest.mark.api_top10("API2")
async def test_no_other_page_signs_a_browser_in(workspace: Workspace, origin: str | None) -> None:
    agent = await workspace.agent()
    before = await rows_of(workspace)
    response = await sign_in_here(workspace, agent, origin=origin)
    assert (response.status_code, response.json()["code"]) == (403, "origin_not_allowed")
    assert "Set-Cookie" not in response.headers
    assert await rows_of(workspace) == before


async def test_a_cookie_opens_what_its_agent_may_see(workspace: Workspace) -> None:
    owner, viewer = await workspace.agent(Role.OWNER), await workspace.agent(Role.VIEWER)
    customer = await workspace.customer()
    session_id = (await customer.start())["session"]["id"]
    for agent, status in ((owner, 200), (viewer, 403)):
        browser = await browse(workspace, agent)
        assert [one["id"] for one in (await browser.get("/v1/sessions")).json()["data"]] == [
            session_id
        ]
        closed = await browser.post(f"/v1/sessions/{session_id}/close")
        assert closed.status_code == status


async def written(stage: Stage, browser: Browser, address: str) -> tuple[int, str | None]:
    """What a good write by cookie is answered."""
    method = address.partition(" ")[0]
    body = BODIES[address](stage) if address in BODIES else None
    response = await browser.call(method, stage.path(address), json=body)
    return response.status_code, response.json()["code"] if response.is_error else None


def test_there_are_writes_to_try() -> None:
    assert len(WRITES) > 40


@pytest.mark.asvs("3.5.1")
async def test_a_write_by_cookie_needs_a_page_of_the_service(workspace: Workspace) -> None:
    stage = await build_stage(workspace)
    browser = await browse(workspace, stage.agent)
    before = await rows_of(workspace)
    for address in WRITES:
        for browser.origin in OTHER_PAGES:
            found = await written(stage, browser, address)
            assert found == (403, "origin_not_allowed"), address
    assert await rows_of(workspace) == before
    browser.origin = OWN
    for address in WRITES:
        found = await written(stage, browser, address)
        assert found[0] < 300 or found == REFUSED.get(address), (address, found)


async def test_a_read_by_cookie_needs_no_origin(workspace: Workspace) -> None:
    browser = await browse(workspace)
    for browser.origin in (None, OWN):
        assert (await browser.get("/v1/sessions")).status_code == 200


async def test_a_header_goes_before_the_cookie(workspace: Workspace) -> None:
    browser, customer = await browse(workspace), await workspace.customer()
    await (await workspace.customer()).start()
    for given in ("", "Bearer", "Bearer at_", f"Basic {browser.token}", f"Bearer {browser.token}x"):
        response = await browser.get("/v1/sessions", headers={"Authorization": given})
        assert response.status_code == 401, given
    mine = await browser.get("/v1/sessions", headers={"Authorization": f"Bearer {customer.token}"})
    assert (mine.status_code, mine.json()["data"]) == (200, [])


async def test_a_header_needs_no_page(workspace: Workspace) -> None:
    browser, agent = await browse(workspace), await workspace.agent()
    browser.origin = "http://evil.example"
    bearer = {"Authorization": f"Bearer {agent.token}"}
    session_id = (await (await workspace.customer()).start())["session"]["id"]
    path = f"/v1/sessions/{session_id}/claim"
    claimed = await browser.post(path, headers=bearer)
    assert claimed.json()["session"]["assignee"]["id"] == agent.id


@pytest.mark.asvs("7.2.1")
@pytest.mark.api_top10("API2")
async def test_a_cookie_is_an_agents_and_nobody_elses(workspace: Workspace) -> None:
    agent = await workspace.agent()
    people = [await workspace.customer(), await workspace.key(), Person(agent.client, "", "")]
    for person in people:
        browser = Browser(workspace.client, person.token, person.id)
        assert (await browser.get("/v1/sessions")).status_code == 401
    for name in ("chat", "__host-chat", "__Secure-chat", "access_token", "Authorization"):
        browser = Browser(workspace.client, agent.token, agent.id, cookie=name)
        assert (await browser.get("/v1/sessions")).status_code == 401, name


@pytest.mark.asvs("7.4.1", "7.4.2")
async def test_a_cookie_ends_with_its_login(workspace: Workspace) -> None:
    gone, ended = await workspace.agent(), await workspace.agent()
    browsers = [await browse(workspace, agent) for agent in (gone, ended)]
    await deactivate(workspace, gone)
    assert (await browsers[1].post("/v1/auth/sign-out")).status_code == 204
    for browser in browsers:
        assert (await browser.get("/v1/sessions")).status_code == 401


@pytest.mark.asvs("7.4.1")
async def test_signing_out_by_cookie_takes_it_away(workspace: Workspace) -> None:
    response = await (await browse(workspace)).post("/v1/auth/sign-out")
    name, token, attributes = cookie_of(response)
    assert (response.status_code, name, token) == (204, COOKIE, "")
    assert {"Max-Age=0", "Path=/", "Secure", "HttpOnly", "SameSite=Strict"} <= attributes


@pytest.mark.asvs("7.4.1")
@pytest.mark.parametrize("origin", [OWN, "http://evil.example", None])
async def test_signing_out_of_an_ended_login_takes_its_cookie_away_on_own_pages_alone(
    workspace: Workspace, origin: str | None
) -> None:
    browser = await browse(workspace)
    assert (await browser.post("/v1/auth/sign-out")).status_code == 204
    browser.origin = origin
    response = await browser.post("/v1/auth/sign-out")
    if origin == OWN:
        assert (response.status_code, cookie_of(response)[:2]) == (401, (COOKIE, ""))
    else:
        assert (response.status_code, "Set-Cookie" in response.headers) == (403, False)


async def test_signing_out_by_header_leaves_the_cookie(workspace: Workspace) -> None:
    browser, other = await browse(workspace), await workspace.agent()
    bearer = {"Authorization": f"Bearer {other.token}"}
    response = await browser.post("/v1/auth/sign-out", headers=bearer)
    assert (response.status_code, "Set-Cookie" in response.headers) == (204, False)
    assert (await browser.get("/v1/sessions")).status_code == 200


@pytest.mark.parametrize(
    ("environment", "url", "public_url", "name"),
    [
        ("development", "http://localhost:8080", "", "chat"),
        ("development", "http://localhost:8080", "https://chat.example.org", COOKIE),
        ("development", "https://localhost:8443", "", COOKIE),
        ("production", "http://localhost:8080", "", COOKIE),
        ("production", "http://127.0.0.1:8080", "https://chat.example.org", COOKIE),
        ("production", "https://chat.example.org", "", COOKIE),
    ],
)
@pytest.mark.asvs("3.3.1", "3.3.3")
async def test_only_development_without_tls_has_a_cookie_without_secure(
    workspace: Workspace, environment: str, url: str, public_url: str, name: str
) -> None:
    agent, own = await workspace.agent(), {"Origin": public_url or url}
    async with another_installation(
        workspace.service, url, public_url, environment=environment
    ) as client:
        body = signing_in(workspace, agent)
        response = await client.post("/v1/auth/sign-in", json=body, headers=own)
        given, token, attributes = cookie_of(response)
        assert (given, "Secure" in attributes) == (name, name == COOKIE)
        client.cookies.clear()
        for given, status in ((name, 200), ("chat" if name == COOKIE else COOKIE, 401)):
            browser = Browser(client, token, agent.id, origin=own["Origin"], cookie=given)
            assert (await browser.get("/v1/sessions")).status_code == status
            client.cookies.clear()


@pytest.mark.asvs("3.4.2")
async def test_no_other_answer_sets_a_cookie_or_opens_itself_to_other_pages(
    workspace: Workspace,
) -> None:
    stage = await build_stage(workspace)
    evil = {"Origin": "http://evil.example"}
    for address in in_turn():
        headers = (await stage.call(address, headers=evil)).headers
        found = [name for name in headers if name.startswith(("set-cookie", "access-control"))]
        assert found == [], address
