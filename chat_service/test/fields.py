"""The fields of request bodies, read from the API's document, and bodies with one of them changed."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from chat_service.test.addresses import BODIES, Stage, api_document
from chat_service.test.builders import Json

Place = tuple[str, ...]
"""Where a field stands in a body, name by name."""


@dataclass(frozen=True)
class Field:
    """A field of a body."""

    place: Place
    schema: Json
    nullable: bool

    @property
    def pointer(self) -> str:
        """Where an error says it is."""
        return "/" + "/".join(self.place)


IN_LIST: Final = "0"


def schema_of(address: str) -> Json:
    """The schema of an address's body."""
    method, _, path = address.partition(" ")
    content = api_document()["paths"][path][method.lower()]["requestBody"]["content"]
    schema: Json = content["application/json"]["schema"]
    return schema


def fields_of(schema: Json, place: Place = ()) -> Iterator[Field]:
    """Every field below a schema; the first element stands for all of a list."""
    schema = followed(schema)
    inside = dict(schema.get("properties", {}))
    if "items" in schema:
        inside[IN_LIST] = schema["items"]
    for name, inner in inside.items():
        nullable = {"type": "null"} in inner.get("anyOf", [])
        yield Field((*place, name), followed(inner), nullable)
        yield from fields_of(inner, (*place, name))


def followed(schema: Json) -> Json:
    """A schema behind its reference, and without the choice of null."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return followed(api_document()["components"]["schemas"][name])
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    return followed(kinds[0]) if kinds else schema


def text_fields(address: str) -> list[Field]:
    """The fields of a body that hold text, ids and codes included."""
    fields = fields_of(schema_of(address))
    return [field for field in fields if field.schema.get("type") == "string"]


def id_fields(address: str) -> list[Field]:
    """The fields of a body that hold the id of something."""
    return [field for field in text_fields(address) if field.schema.get("format") == "uuid"]


def changed(stage: Stage, address: str, field: Field, value: Any) -> Json:
    """A good body with one field changed; what has to stand around it is made."""
    body, place = copy.deepcopy(BODIES[address](stage)), field.place
    inner: Any = body
    for name, following in zip(place, (*place[1:], ""), strict=True):
        if name == IN_LIST:
            inner[:] = [value]
        elif following:
            inner = inner.setdefault(name, [] if following == IN_LIST else _around(stage, name))
        else:
            inner[name] = value
    return body


def _around(stage: Stage, name: str) -> Json:
    """An object that a good body may leave out."""
    return {"expected_assignee": {"type": "agent", "id": stage.agent.id}}.get(name, {})
