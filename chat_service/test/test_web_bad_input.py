"""Bad input, at every address: a problem with a stable code, and nothing is written."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from chat_service.app import Service
from chat_service.test.addresses import BODIES, Stage, addresses, build_stage
from chat_service.test.backends import limited_to
from chat_service.test.builders import build_workspace
from chat_service.test.events.apart import client_of
from chat_service.test.fields import changed, text_fields
from chat_service.test.snapshot import rows_of

JSON = {"Content-Type": "application/json"}
HOLE = "a hole in the body"


REFUSED_UNREAD = limited_to("sqlite")
"""No database has part in it."""


@pytest.fixture(scope="module")
async def stage(service: Service) -> AsyncIterator[Stage]:
    """A workspace that everything bad leaves as it is."""
    async with client_of(service) as client:
        yield await build_stage(await build_workspace(service, client))


def code_of(response: httpx2.Response) -> tuple[int, str]:
    assert response.headers["Content-Type"] == "application/problem+json", response.text
    return response.status_code, response.json()["code"]


@REFUSED_UNREAD
@pytest.mark.parametrize("address", BODIES)
@pytest.mark.asvs("2.2.1", "2.2.2")
async def test_what_is_no_json_is_malformed(stage: Stage, address: str) -> None:
    before = await rows_of(stage.workspace)
    deep = [b"[" * 99_999, b'{"a":' * 19_999, b'{"metadata":' + b"[" * 49_000 + b"]" * 49_000]
    cut = [b"{", b'{"a":}', b"{}{}", b"{]", b'{"a" 1}', b"nul", b" ", b"'{}'", b'"\\ud8"']
    for content in [*cut, *deep, b"\xff", b"\xef\xbb\xbf{}", b'{"a":"\xed\xa0\x80"}', b'"\x00"']:
        response = await stage.call(address, content=content, headers=JSON)
        assert code_of(response) == (400, "malformed_body"), content[:20]
    assert await rows_of(stage.workspace) == before


@REFUSED_UNREAD
@pytest.mark.parametrize("address", BODIES)
async def test_what_is_no_object_is_refused(stage: Stage, address: str) -> None:
    for content in (b"[]", b"null", b"1", b'"text"', b"true", b"[{}]"):
        response = await stage.call(address, content=content, headers=JSON)
        assert code_of(response) == (422, "validation_failed")
        assert response.json()["errors"][0]["pointer"] == ""


@REFUSED_UNREAD
@pytest.mark.parametrize("address", BODIES)
@pytest.mark.api_top10("API4")
async def test_a_body_larger_than_allowed_is_413(stage: Stage, address: str) -> None:
    before = await rows_of(stage.workspace)
    for size in (100_001, 1_000_000):
        content = b'{"a":"' + b"x" * size + b'"}'
        response = await stage.call(address, content=content, headers=JSON)
        assert code_of(response) == (413, "body_too_large")
    assert await rows_of(stage.workspace) == before


@REFUSED_UNREAD
@pytest.mark.api_top10("API4")
async def test_a_body_of_unknown_length_is_bounded_too(stage: Stage) -> None:
    async def parts() -> Any:
        for _ in range(20):
            yield b" " * 10_000

    response = await stage.call("POST /v1/sessions", content=parts(), headers=JSON)
    assert code_of(response) == (413, "body_too_large")


@pytest.mark.parametrize("address", BODIES)
@pytest.mark.parametrize("value", ["x" * 90_000, "a\0b", "é" * 40_000], ids=["long", "nul", "wide"])
@pytest.mark.asvs("2.2.1")
async def test_text_that_cannot_be_kept_is_422(stage: Stage, address: str, value: str) -> None:
    before = await rows_of(stage.workspace)
    for field in text_fields(address):
        response = await stage.call(address, json=changed(stage, address, field, value))
        assert code_of(response) == (422, "validation_failed"), field.place
        assert {item["pointer"] for item in response.json()["errors"]} == {field.pointer}
    assert await rows_of(stage.workspace) == before


@pytest.mark.parametrize("address", BODIES)
async def test_half_a_character_is_422(stage: Stage, address: str) -> None:
    for field in text_fields(address):
        body = json.dumps(changed(stage, address, field, HOLE))
        for half in (r"\ud800", r"\udc00", r"\ud800\ud800", r"\ude00\ud83d", r"a\ud83dz"):
            content = body.replace(HOLE, half)
            response = await stage.call(address, content=content, headers=JSON)
            assert code_of(response) == (422, "validation_failed"), (field.place, half)
            assert response.json()["errors"][0]["code"] == "lone_surrogate"


async def test_a_name_of_half_a_character_is_422(stage: Stage) -> None:
    content = rb'{"custom_attributes":{"\ud800":1}}'
    response = await stage.call("PATCH /v1/sessions/{session_id}", content=content, headers=JSON)
    assert code_of(response) == (422, "validation_failed")


@pytest.mark.parametrize(
    ("attributes", "pointer", "code"),
    [
        ({"a": {}}, "/a", "wrong_type"),
        ({"a": []}, "/a", "wrong_type"),
        ({"a": 2**53 + 1}, "/a", "out_of_range"),
        ({"a": float("inf")}, "/a", "out_of_range"),
        ({"a": float("nan")}, "/a", "out_of_range"),
        ({"a": "\0"}, "/a", "nul_character"),
        ({"": 1}, "/", "too_short"),
        ({"x" * 65: 1}, f"/{'x' * 65}", "too_long"),
        ({"a~/b": {}}, "/a~0~1b", "wrong_type"),
        ({str(number): 1 for number in range(101)}, "", "too_long"),
        ({"a": "x" * 5_000}, "", "too_long"),
    ],
)
async def test_one_error_names_the_wrong_attribute(
    stage: Stage, attributes: Any, pointer: str, code: str
) -> None:
    content = json.dumps({"custom_attributes": attributes})
    response = await stage.call("PATCH /v1/sessions/{session_id}", content=content, headers=JSON)
    assert code_of(response) == (422, "validation_failed")
    found = [(item["pointer"], item["code"]) for item in response.json()["errors"]]
    assert found == [(f"/custom_attributes{pointer}", code)]


@REFUSED_UNREAD
async def test_no_more_wrong_fields_are_named_than_help(stage: Stage) -> None:
    content = json.dumps({f"f{number}": 1 for number in range(5_000)})
    response = await stage.call("PATCH /v1/sessions/{session_id}", content=content, headers=JSON)
    assert code_of(response) == (422, "validation_failed")
    assert len(response.json()["errors"]) == 50


GARBAGE = [
    "",
    "x",
    "Bearer",
    "Bearer ",
    "Basic YTpi",
    "Bearer a.b.c",
    "Bearer sk_",
    "Bearer sk_a_b_c",
    "Bearer at_" + "0" * 32 + "_" + "0" * 32 + "_" + "0" * 48,
    "Bearer sk_" + "0" * 32 + "_" + "0" * 32 + "_é",
    "Bearer " + "x" * 20_000,
    "Bearer eyJhbGciOiJub25lIn0.e30.",
    "Bearer a b",
]
PROTECTED = [address for address in addresses() if "/v1/sessions" in address]


@pytest.mark.parametrize("value", GARBAGE, ids=range(len(GARBAGE)))
@pytest.mark.asvs("7.2.1")
@pytest.mark.api_top10("API2")
async def test_what_is_no_token_is_401(stage: Stage, value: str) -> None:
    before = await rows_of(stage.workspace)
    headers = {"Authorization": value.encode("latin-1")}
    for address in PROTECTED:
        response = await stage.call(address, headers=headers)
        assert code_of(response) == (401, "unauthenticated"), address
    assert await rows_of(stage.workspace) == before
