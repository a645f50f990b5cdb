"""The two documents of the service keep to themselves: 75 of the protocol."""

from collections.abc import Iterator
from typing import Any

import pytest

from chat_service.test.addresses import api_document
from chat_service.test.operations.test_asyncapi import MESSAGES, validator
from chat_service.test.operations.test_openapi import check


def examples() -> Iterator[tuple[str, str, Any, Any]]:
    """Every example of the documents: where it stands, the schema that it is of, itself."""
    for name, schema in api_document()["components"]["schemas"].items():
        yield from (("openapi", name, schema, each) for each in schema.get("examples", []))
        for field, inner in schema.get("properties", {}).items():
            for each in inner.get("examples", []):
                yield "openapi", f"{name}.{field}", inner, each
    for name, message in MESSAGES.items():
        for each in message.get("examples", []):
            yield "asyncapi", name, message["payload"], each["payload"]


@pytest.mark.conformance(75)
def test_openapi_and_asyncapi_examples_validate() -> None:
    seen = {"openapi": 0, "asyncapi": 0}
    for document, place, schema, example in examples():
        seen[document] += 1
        if document == "openapi":
            check(schema, example)
        else:
            assert validator(schema).is_valid(example), place
    assert min(seen.values()) > 10, seen
