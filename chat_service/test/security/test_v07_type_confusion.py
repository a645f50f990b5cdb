"""An object, a list or a number in place of text is refused, in every field of every body.

Seen elsewhere: an object instead of a string became a query operator.
"""

import json

import pytest

from chat_service.test.addresses import BODIES, Stage, addresses
from chat_service.test.backends import limited_to
from chat_service.test.fields import changed, text_fields
from chat_service.test.snapshot import rows_of

JSON = {"Content-Type": "application/json"}
HOLE = "a hole in the body"
VALUES = ["null", "{}", "[]", "true", "1e400", "1" + "0" * 400, "-1", "1.5", '["a"]', '{"$gt":""}']


@limited_to("sqlite")
@pytest.mark.parametrize("address", BODIES)
@pytest.mark.asvs("2.2.1", "2.2.2", "15.3.5")
async def test_another_type_in_place_of_text_is_422(stage: Stage, address: str) -> None:
    before = await rows_of(stage.workspace)
    for field in text_fields(address):
        body = json.dumps(changed(stage, address, field, HOLE))
        for value in VALUES[1:] if field.nullable else VALUES:
            content = body.replace(f'"{HOLE}"', value)
            response = await stage.call(address, content=content, headers=JSON)
            assert response.status_code == 422, (field.place, value)
            assert field.pointer in {item["pointer"] for item in response.json()["errors"]}
    assert await rows_of(stage.workspace) == before


def test_there_is_text_in_most_bodies() -> None:
    assert sum(len(text_fields(address)) for address in BODIES) > 25


@limited_to("sqlite")
@pytest.mark.parametrize("address", [one for one in addresses() if one.startswith("GET /v1")])
@pytest.mark.parametrize("name", ["limit[]", "limit[$gt]", "limit.0", "LIMIT"])
@pytest.mark.asvs("15.3.7")
async def test_a_parameter_has_one_spelling(stage: Stage, address: str, name: str) -> None:
    response = await stage.call(address, query=f"?{name}=1")
    assert (response.status_code, response.json()["code"]) == (400, "unknown_parameter")
