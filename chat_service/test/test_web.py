"""How HTTP becomes typed values and back: versions, parameters, bodies, what is accepted."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from chat_service.app import Service
from chat_service.test.addresses import BODIES, Stage, addresses, build_stage
from chat_service.test.builders import Workspace, build_workspace, message, unique
from chat_service.test.events.apart import client_of
from chat_service.test.snapshot import rows_of

SESSION = "GET /v1/sessions/{session_id}"
PATCH = "PATCH /v1/sessions/{session_id}"
MESSAGE = "GET /v1/sessions/{session_id}/messages/{message_id}"
EDIT = "PATCH /v1/sessions/{session_id}/messages/{message_id}"
DELETE = "DELETE /v1/sessions/{session_id}/messages/{message_id}"


@pytest.fixture
async def stage(workspace: Workspace) -> Stage:
    return await build_stage(workspace)


@pytest.fixture(scope="module")
async def kept(service: Service) -> AsyncIterator[Stage]:
    """One for all the tests that change nothing of it."""
    async with client_of(service) as client:
        yield await build_stage(await build_workspace(service, client))


@pytest.mark.parametrize("address", [SESSION, MESSAGE])
async def test_etag_304(stage: Stage, address: str) -> None:
    etag = (await stage.call(address)).headers["ETag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        response = await stage.call(address, headers={"If-None-Match": known})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["ETag"] == etag
        assert not {"Content-Type", "Content-Length"} & set(response.headers)


@pytest.mark.parametrize("address", [SESSION, MESSAGE])
async def test_another_version_is_read_whole(stage: Stage, address: str) -> None:
    response = await stage.call(address, headers={"If-None-Match": '"s999"'})
    assert response.status_code == 200


@pytest.mark.parametrize("address", [PATCH, EDIT, DELETE])
async def test_if_match_412(stage: Stage, address: str) -> None:
    before = await rows_of(stage.workspace)
    for wanted in ('"s999"', 'W/"s1"', "s1", ""):
        response = await stage.call(address, headers={"If-Match": wanted})
        assert response.status_code == 412, wanted
        assert response.json()["current"]["id"] in (stage.session_id, stage.message_id)
        assert response.headers["ETag"] == f'"s{response.json()["current"]["version"]}"'
    assert await rows_of(stage.workspace) == before


@pytest.mark.parametrize(("read", "change"), [(SESSION, PATCH), (MESSAGE, EDIT)])
async def test_if_match_lets_the_version_seen_be_changed(
    stage: Stage, read: str, change: str
) -> None:
    etag = (await stage.call(read)).headers["ETag"]
    first = await stage.call(change, headers={"If-Match": etag})
    assert (first.status_code, first.headers["ETag"] != etag) == (200, True)
    again = await stage.call(change, headers={"If-Match": etag})
    assert again.status_code == 412
    assert (await stage.call(change, headers={"If-Match": "*"})).status_code == 200


async def test_a_merge_patch_may_be_called_by_its_name(stage: Stage) -> None:
    headers = {"Content-Type": "application/merge-patch+json"}
    response = await stage.call(PATCH, content=b'{"subject": "Order 17"}', headers=headers)
    assert (response.status_code, response.json()["session"]["subject"]) == (200, "Order 17")


@pytest.mark.parametrize("host", ["a..b", "x" * 64, f"{'x' * 64}.example.org"])
async def test_a_host_that_is_no_name_is_400(stage: Stage, host: str) -> None:
    for address in (SESSION, PATCH, "GET /health"):
        response = await stage.call(address, headers={"Host": host})
        assert (response.status_code, response.json()["code"]) == (400, "bad_request")


async def test_deleting_answers_without_content(stage: Stage) -> None:
    response = await stage.call(DELETE)
    assert (response.status_code, response.content) == (204, b"")
    assert not {"Content-Type", "Content-Length"} & set(response.headers)


@pytest.mark.conformance(74)
@pytest.mark.parametrize("address", addresses())
@pytest.mark.asvs("2.2.1", "15.3.3")
async def test_unknown_query_parameter_is_400_unknown_body_field_is_422(
    kept: Stage, address: str
) -> None:
    before = await rows_of(kept.workspace)
    response = await kept.call(address, query="?unknown=1")
    assert (response.status_code, response.json()["code"]) == (400, "unknown_parameter")
    assert response.json()["errors"][0]["pointer"] == "unknown"
    if address in BODIES:
        response = await kept.call(address, json={**BODIES[address](kept), "unknown~/": 1})
        assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
        error = {item["pointer"]: item["code"] for item in response.json()["errors"]}
        assert error == {"/unknown~0~1": "unknown_field"}
    assert await rows_of(kept.workspace) == before


def test_every_address_that_writes_has_a_good_body() -> None:
    writing = {address for address in addresses() if address.startswith(("POST", "PUT", "PATCH"))}
    # To remove a second factor takes the proofs that it was set by.
    assert writing | {"DELETE /v1/agents/me/second-factor"} == set(BODIES)


@pytest.mark.asvs("15.3.7")
async def test_a_parameter_may_not_be_given_twice(stage: Stage) -> None:
    response = await stage.call("GET /v1/sessions", query="?limit=1&limit=2")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_parameter")
    assert response.json()["errors"][0] == {
        "pointer": "limit",
        "code": "repeated",
        "detail": "given twice",
    }


@pytest.mark.parametrize("query", ["?limit=0", "?limit=x", "?limit=", "?limit=1.5", "?view=own"])
async def test_a_wrong_parameter_is_named(stage: Stage, query: str) -> None:
    response = await stage.call("GET /v1/sessions", query=query)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_parameter")
    assert response.json()["errors"][0]["pointer"] == query[1:].partition("=")[0]


@pytest.mark.parametrize("body", [{"content": b""}, {"json": {}}])
async def test_no_body_is_an_empty_object(stage: Stage, body: Any) -> None:
    response = await stage.call("POST /v1/sessions/{session_id}/claim", **body)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_a_body_that_does_not_say_it_is_json_is_415(
    stage: Stage, headers: dict[str, str]
) -> None:
    address = "POST /v1/sessions/{session_id}/close"
    response = await stage.call(address, content=b"{}", headers=headers)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
async def test_json_may_be_announced_in_every_spelling(stage: Stage, kind: str) -> None:
    address = "POST /v1/sessions/{session_id}/close"
    response = await stage.call(address, content=b"{}", headers={"Content-Type": kind})
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200),
        ("application/*", 200),
        ("text/html, */*;q=0.1", 200),
        ("application/json;q=0", 406),
        ("text/html", 406),
        ("application/problem+json", 406),
    ],
)
async def test_json_is_given_to_who_accepts_it(
    client: httpx2.AsyncClient, accept: str, status: int
) -> None:
    response = await client.get("/health", headers={"Accept": accept})
    assert response.status_code == status


async def test_the_idempotency_key_is_another_name_of_the_id(stage: Stage) -> None:
    key = unique()
    body = {"content": {"type": "text", "text": "Hello"}}
    path = f"/v1/sessions/{stage.session_id}/messages"
    first, again = [
        await stage.customer.post(path, body, headers={"Idempotency-Key": key}) for _ in range(2)
    ]
    assert first.json() == again.json()
    assert first.json()["message"]["client_message_id"] == key
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_a_field_goes_before_its_other_name(stage: Stage) -> None:
    path = f"/v1/sessions/{stage.session_id}/messages"
    body = message()
    response = await stage.customer.post(path, body, headers={"Idempotency-Key": unique()})
    assert response.json()["message"]["client_message_id"] == body["client_message_id"]


@pytest.mark.parametrize("key", ["", "a b", "x" * 65, "ä"])
async def test_a_malformed_idempotency_key_is_refused_though_it_does_not_count(
    stage: Stage, key: str
) -> None:
    address = "POST /v1/sessions/{session_id}/messages"
    response = await stage.call(address, headers={"Idempotency-Key": key.encode("latin-1")})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_parameter")
    assert response.json()["errors"][0]["pointer"] == "Idempotency-Key"


async def test_head_is_get_without_the_body(stage: Stage) -> None:
    path = f"/v1/sessions/{stage.session_id}"
    get, head = await stage.customer.get(path), await stage.customer.call("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("ETag", "Content-Type", "Content-Length"):
        assert head.headers[name] == get.headers[name]
    known = await stage.customer.call("HEAD", path, headers={"If-None-Match": get.headers["ETag"]})
    assert known.status_code == 304


async def test_options_tells_the_methods(client: httpx2.AsyncClient) -> None:
    response = await client.options("/v1/sessions")
    assert response.status_code == 200
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST", "OPTIONS"}


@pytest.mark.asvs("14.3.2")
async def test_answers_are_not_kept_by_caches(stage: Stage) -> None:
    for address in (SESSION, MESSAGE, "GET /v1/sessions"):
        assert (await stage.call(address)).headers["Cache-Control"] == "no-store"
