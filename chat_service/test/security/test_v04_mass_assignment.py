"""No column of any table can be set by naming it in a body.

Seen elsewhere: a writable `account_id` moved objects to another account.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from chat_service.model import Base
from chat_service.test.addresses import BODIES, Stage
from chat_service.test.backends import limited_to
from chat_service.test.builders import Json
from chat_service.test.fields import Place, followed, schema_of
from chat_service.test.snapshot import rows_of

COLUMNS = sorted({column.name for table in Base.metadata.sorted_tables for column in table.c})


def objects_of(body: Any, schema: Json, place: Place = ()) -> Iterator[tuple[Json, Place, Json]]:
    """Every object in a body that has named fields, where it stands, and its schema."""
    schema = followed(schema)
    if "properties" in schema:
        yield body, place, schema
        for name, inner in body.items():
            yield from objects_of(inner, schema["properties"][name], (*place, name))


@limited_to("sqlite")
@pytest.mark.parametrize("address", BODIES)
@pytest.mark.asvs("15.3.3")
@pytest.mark.api_top10("API3")
async def test_every_column_is_refused_unless_it_is_a_field(stage: Stage, address: str) -> None:
    assert len(COLUMNS) > 50
    before = await rows_of(stage.workspace)
    body = BODIES[address](stage)
    for inner, place, schema in list(objects_of(body, schema_of(address))):
        foreign = [name for name in COLUMNS if name not in schema["properties"]]
        for name in foreign:
            inner[name] = None
            response = await stage.call(address, json=body)
            del inner[name]
            pointer = "/" + "/".join((*place, name))
            assert response.status_code == 422, pointer
            assert [item["pointer"] for item in response.json()["errors"]] == [pointer]
    assert await rows_of(stage.workspace) == before
