"""The API's document: valid, complete, the same each time, and its examples are what it says."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import orjson
import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import OpenAPIV31SpecValidator

from chat_service.errors import every_error
from chat_service.operations.openapi import build_document
from chat_service.test.addresses import addresses, api_document, bare_app, who_of
from chat_service.test.builders import Json
from chat_service.web import Who

SHOWN = [address for address in addresses() if " /v1" in address or " /health" in address]
KINDS = {
    "customerToken": Who.CUSTOMER,
    "agentToken": Who.AGENT,
    "agentCookie": Who.AGENT,
    "apiKey": Who.KEY,
    "platformToken": Who.PLATFORM,
}
WITHOUT_BODY = {"202", "204", "304"}


def operations() -> Iterator[tuple[str, Json]]:
    """Each operation under "METHOD /path"."""
    for path, methods in api_document()["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def operation(address: str) -> Json:
    return dict(operations())[address]


def resolved(reference: Json) -> Any:
    """What a reference leads to."""
    found: Any = api_document()
    for name in reference["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


def check(schema: Json, value: Any) -> None:
    """Refuse a value that a schema of the document does not allow."""
    whole = {**schema, "components": api_document()["components"]}
    OAS31Validator(whole, format_checker=oas31_format_checker).validate(value)


def test_is_valid_openapi_31() -> None:
    OpenAPIV31SpecValidator(orjson.loads(orjson.dumps(api_document()))).validate()
    assert api_document()["openapi"].startswith("3.1.")


@pytest.mark.api_top10("API9")
def test_shows_every_address_of_the_api_and_no_other() -> None:
    assert sorted(dict(operations())) == SHOWN


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for _, operation in operations()]
    assert len(set(ids)) == len(ids)


def test_is_the_same_in_every_process() -> None:
    code = (
        "import orjson; from chat_service.test.addresses import api_document;"
        "print(orjson.dumps(api_document()).decode())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert other.stdout.strip() == orjson.dumps(build_document(bare_app()))


def schemas_in(value: Any) -> Iterator[Json]:
    """Every schema of a body, wherever it stands."""
    if isinstance(value, dict):
        for media in value.get("content", {}).values():
            yield media["schema"]
        for inner in value.values():
            yield from schemas_in(inner)


def test_every_body_has_a_named_schema() -> None:
    schemas = list(schemas_in(api_document()["paths"]))
    assert len(schemas) > 100
    assert {tuple(schema) for schema in schemas} == {("$ref",)}


def test_no_field_has_a_title_that_repeats_its_name() -> None:
    for schema in api_document()["components"]["schemas"].values():
        assert all("title" not in field for field in schema.get("properties", {}).values())


def test_every_body_that_needs_a_field_has_an_example() -> None:
    for address, about in operations():
        if about.get("requestBody", {}).get("required"):
            schema = resolved(about["requestBody"]["content"]["application/json"]["schema"])
            told = "examples" in schema or all(
                "examples" in field for field in schema["properties"].values()
            )
            assert told or address == "POST /v1/auth/token"


@pytest.mark.parametrize("error", list(every_error()), ids=lambda error: error.code)
def test_the_example_of_a_problem_is_one(error: Any) -> None:
    example = api_document()["components"]["examples"][error.code]["value"]
    check({"$ref": "#/components/schemas/Problem"}, example)
    assert (example["code"], example["status"]) == (error.code, error.status)


@pytest.mark.parametrize("address", SHOWN)
@pytest.mark.api_top10("API9")
def test_security_is_that_of_the_address(address: str) -> None:
    given = {name for choice in operation(address)["security"] for name in choice}
    assert given == {name for name, kind in KINDS.items() if kind in who_of(address)}
    assert bool(given) is (Who.PUBLIC not in who_of(address))


@pytest.mark.parametrize("address", SHOWN)
def test_every_answer_names_its_headers(address: str) -> None:
    for status, answer in operation(address)["responses"].items():
        headers = set(answer["headers"])
        assert "Request-Id" in headers
        assert ("Retry-After" in headers) is (status in ("429", "503", "507")), status
        assert ("WWW-Authenticate" in headers) is (status == "401")
        assert ("content" in answer) is (status not in WITHOUT_BODY)


@pytest.mark.parametrize("address", SHOWN)
def test_headers_of_requests_come_with_what_they_lead_to(address: str) -> None:
    about = operation(address)
    headers = {item["name"] for item in about["parameters"] if item["in"] == "header"}
    assert ("If-Match" in headers) is ("412" in about["responses"])
    assert ("If-None-Match" in headers) is ("304" in about["responses"])
    replayed = {"POST /v1/sessions", "POST /v1/sessions/{session_id}/messages"}
    assert ("Idempotency-Key" in headers) is (address in replayed)


@pytest.mark.parametrize("address", SHOWN)
def test_problems_are_listed_by_code(address: str) -> None:
    responses = operation(address)["responses"]
    assert "default" not in responses
    for status, answer in responses.items():
        for code, reference in (
            answer.get("content", {})
            .get("application/problem+json", {})
            .get("examples", {})
            .items()
        ):
            assert resolved(reference)["value"]["code"] == code
            assert resolved(reference)["value"]["status"] == int(status)


def test_a_parameter_of_a_query_is_never_null() -> None:
    parameters = [item for _, about in operations() for item in about["parameters"]]
    assert len(parameters) > 20
    assert "null" not in str([item["schema"] for item in parameters])


async def test_is_served_as_it_is_built(client: httpx2.AsyncClient) -> None:
    response = await client.get("/openapi.json")
    assert response.headers["Content-Type"] == "application/json"
    assert response.content == orjson.dumps(api_document())
    known = await client.get("/openapi.json", headers={"If-None-Match": response.headers["ETag"]})
    assert known.status_code == 304
