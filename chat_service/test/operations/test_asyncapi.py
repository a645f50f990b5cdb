"""The live protocol's document: valid by the official parser, and an example of every event."""

import inspect
import shutil
import subprocess
from pathlib import Path
from typing import Any, get_args

import httpx2
import orjson
import pytest
from jsonschema import Draft202012Validator

from chat_service.events.schema import EVENT_TYPES
from chat_service.operations.asyncapi import SERVER_FRAMES, build_asyncapi
from chat_service.realtime import frames, state_frames
from chat_service.realtime.frames import CLIENT_FRAME, ClientFrame
from chat_service.test.require import skip_or_fail
from chat_service.transport import Response

PARSER = Path(__file__).parents[3] / "tools" / "asyncapi"
DOCUMENT = build_asyncapi()
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """Validates by a schema whose references lead into the document."""
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


async def test_is_served_to_everybody(client: httpx2.AsyncClient) -> None:
    response = await client.get("/asyncapi.json")
    assert (response.status_code, response.json()) == (200, orjson.loads(orjson.dumps(DOCUMENT)))


def test_the_official_parser_finds_nothing() -> None:
    if shutil.which("node") is None or not (PARSER / "node_modules").is_dir():
        skip_or_fail("node", "no node, or no parser: npm ci in tools/asyncapi")
    checked = subprocess.run(
        ["node", "validate.js"], cwd=PARSER, input=orjson.dumps(DOCUMENT), capture_output=True
    )
    assert (checked.returncode, checked.stdout) == (0, b"")


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_type_of_event_has_an_example_of_its_form(kind: str) -> None:
    (example,) = MESSAGES[kind]["examples"]
    assert example["payload"]["type"] == kind
    validator(MESSAGES[kind]["payload"]).validate(example["payload"])
    other = {**example["payload"], "type": "something.else"}
    assert not validator(MESSAGES[kind]["payload"]).is_valid(other)


def test_every_frame_is_described() -> None:
    said = {name for name in MESSAGES if name.startswith("client.")}
    assert len(said) == len(get_args(get_args(ClientFrame)[0]))
    known = [each for module in (frames, state_frames) for each in vars(module).values()]
    sent = {each for each in known if inspect.isclass(each) and issubclass(each, Response)}
    assert {each for each in sent if "op" in each.model_fields} == set(SERVER_FRAMES)
    assert len([name for name in MESSAGES if name.startswith("server.")]) == len(SERVER_FRAMES)


def test_what_the_document_allows_is_taken() -> None:
    hello = {"op": "hello", "token": "t", "device_id": "phone"}
    validator(MESSAGES["client.hello"]["payload"]).validate(hello)
    assert CLIENT_FRAME.validate_json(orjson.dumps(hello)).op == "hello"
