"""A customer begins at an inbox: from which pages, with which words about himself."""

import asyncio
from typing import Any

import httpx2
import pytest

from chat_service.test.builders import ORIGIN, Json, Person, Workspace, build_workspace
from chat_service.test.customers.calls import refresh
from chat_service.test.fakes import TurningClock
from chat_service.test.rows import set_inbox


async def begin(
    workspace: Workspace, origin: str | None = None, key: str | None = None, **body: Any
) -> httpx2.Response:
    """The answer to somebody who begins."""
    path = f"/v1/inboxes/{workspace.inbox_key if key is None else key}/customers"
    headers = {} if origin is None else {"Origin": origin}
    return await workspace.client.post(path, json=body, headers=headers)


@pytest.mark.asvs("14.3.2")
async def test_a_customer_begins_with_a_token_and_its_refresh(workspace: Workspace) -> None:
    response = await begin(workspace, profile={"name": "Ada", "email": "ada@example.org"})
    begun = response.json()
    assert (response.status_code, response.headers["Cache-Control"]) == (201, "no-store")
    assert begun["customer"]["object"] == "customer"
    assert (begun["customer"]["name"], begun["customer"]["email"]) == ("Ada", "ada@example.org")
    assert begun["customer"]["workspace_id"] == str(workspace.id)
    assert begun["customer"]["inbox_id"] == str(workspace.inbox.id)
    ada = Person(workspace.client, begun["access_token"], begun["customer"]["id"], begun)
    assert (await ada.get("/v1/sessions")).json()["data"] == []


async def test_a_customer_may_say_nothing(workspace: Workspace) -> None:
    bodies: list[Json] = [{}, {"profile": {}}, {"profile": {"name": None, "email": None}}]
    for body in bodies:
        begun = (await begin(workspace, **body)).json()
        assert (begun["customer"]["name"], begun["customer"]["email"]) == (None, None)


async def test_an_address_of_a_network_of_ones_own_is_one(workspace: Workspace) -> None:
    response = await begin(workspace, profile={"email": "ada@office.local"})
    assert response.json()["customer"]["email"] == "ada@office.local"


@pytest.mark.asvs("3.5.1")
async def test_a_page_of_the_service_itself_is_one_of_every_inbox(workspace: Workspace) -> None:
    assert (await begin(workspace, origin="http://test")).status_code == 201
    for other in ("https://test", "http://test:81", "http://sub.test", "null"):
        response = await begin(workspace, origin=other)
        assert (response.status_code, response.json()["code"]) == (403, "origin_not_allowed")


async def test_everybody_who_begins_is_somebody_new(workspace: Workspace) -> None:
    same = {"name": "Ada", "email": "ada@example.org"}
    answers = await asyncio.gather(*(begin(workspace, profile=same) for _ in range(5)))
    assert len({answer.json()["customer"]["id"] for answer in answers}) == 5


@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_a_claimed_email_opens_nothing(workspace: Workspace) -> None:
    claim = {"email": "ada@example.org"}
    first, second = [(await begin(workspace, profile=claim)).json() for _ in range(2)]
    ada = Person(workspace.client, first["access_token"], first["customer"]["id"])
    session_id = (await ada.start())["session"]["id"]
    other = Person(workspace.client, second["access_token"], second["customer"]["id"])
    assert (await other.get(f"/v1/sessions/{session_id}")).status_code == 404


async def test_the_page_of_an_allowed_origin_may_begin(workspace: Workspace) -> None:
    assert (await begin(workspace, ORIGIN)).status_code == 201
    await set_inbox(workspace, allowed_origins=["https://a.example", "https://b.example"])
    answers = [await begin(workspace, origin) for origin in (ORIGIN, "https://b.example")]
    assert [answer.status_code for answer in answers] == [403, 201]


async def test_a_caller_without_origin_is_no_page_and_may_begin(workspace: Workspace) -> None:
    await set_inbox(workspace, allowed_origins=[])
    assert (await begin(workspace)).status_code == 201


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "*",
        "http://shop.example.org",
        "https://shop.example.org/",
        "https://shop.example.org:443",
        "https://shop.example.org:8443",
        "https://SHOP.example.org",
        "https://example.org",
        "https://www.shop.example.org",
        "https://shop.example.org.evil.example",
        "https://evil-shop.example.org",
        "https://evil.example#https://shop.example.org",
        "https://shop.example.org https://evil.example",
        "https://shop.example.org,https://evil.example",
    ],
)
@pytest.mark.asvs("3.5.1")
async def test_origins_match_exactly(workspace: Workspace, origin: str) -> None:
    response = await begin(workspace, origin)
    assert (response.status_code, response.json()["code"]) == (403, "origin_not_allowed")


@pytest.mark.asvs("8.4.1")
@pytest.mark.api_top10("API1")
async def test_an_inbox_that_is_not_there_is_404(workspace: Workspace) -> None:
    elsewhere = await build_workspace(workspace.service, workspace.client)
    ours, theirs = workspace.inbox_key.split("_"), elsewhere.inbox_key.split("_")
    wrong = ["ib", "ib__", "x", "%00", "ib_1_2", "_".join(["sk", *ours[1:]])]
    wrong += ["_".join(["ib", ours[1], theirs[2]]), "_".join(["ib", theirs[1], ours[2]])]
    for key in wrong:
        response = await begin(workspace, key=key)
        assert (response.status_code, response.json()["code"]) == (404, "not_found"), key


async def test_an_unknown_inbox_is_404_for_every_page(workspace: Workspace) -> None:
    response = await begin(workspace, "https://evil.example", key="ib_1_2")
    assert response.status_code == 404


WRONG: list[tuple[Json, str]] = [
    ({"profile": {"name": ""}}, "/profile/name"),
    ({"profile": {"name": "x" * 129}}, "/profile/name"),
    ({"profile": {"name": "ü" * 65}}, "/profile/name"),
    ({"profile": {"name": "a\0b"}}, "/profile/name"),
    ({"profile": {"name": 5}}, "/profile/name"),
    ({"profile": {"email": "ada"}}, "/profile/email"),
    ({"profile": {"email": "ada@"}}, "/profile/email"),
    ({"profile": {"email": f"{'x' * 250}@example.org"}}, "/profile/email"),
    ({"profile": {"verified": True}}, "/profile/verified"),
    ({"profile": None}, "/profile"),
    ({"id": "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10"}, "/id"),
    ({"workspace_id": "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10"}, "/workspace_id"),
]


@pytest.mark.parametrize(("body", "pointer"), WRONG)
@pytest.mark.asvs("2.2.1", "15.3.3")
@pytest.mark.api_top10("API3")
async def test_refuses_what_nobody_may_say(workspace: Workspace, body: Json, pointer: str) -> None:
    response = await begin(workspace, **body)
    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert [item["pointer"] for item in response.json()["errors"]] == [pointer]


async def test_a_name_of_all_its_bytes_is_kept_as_typed(workspace: Workspace) -> None:
    name = "ü" * 62 + " <b>"
    assert (await begin(workspace, profile={"name": name})).json()["customer"]["name"] == name


async def test_a_renewed_token_lives_as_long_as_the_first(
    workspace: Workspace, clock: TurningClock
) -> None:
    customer = await workspace.customer()
    clock.turn(hours=1)
    response = await refresh(customer)
    assert response.json()["expires_in"] == customer.details["expires_in"]
    renewed = Person(workspace.client, response.json()["access_token"], customer.id)
    clock.turn(seconds=890)
    assert (await renewed.get("/v1/sessions")).status_code == 200


@pytest.mark.parametrize("token", ["", "x" * 257, "rt_\0", None, 5, []])
@pytest.mark.asvs("2.2.1")
async def test_refuses_a_refresh_token_that_is_no_text_of_its_size(
    workspace: Workspace, token: object
) -> None:
    response = await workspace.client.post("/v1/auth/token", json={"refresh_token": token})
    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")


@pytest.mark.parametrize("token", ["x", "rt_", "rt____", "rt_\u0661_\u0661_\u0661_x"])
@pytest.mark.asvs("7.2.1")
async def test_refuses_a_refresh_token_it_never_gave(workspace: Workspace, token: str) -> None:
    response = await workspace.client.post("/v1/auth/token", json={"refresh_token": token})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_grant")
