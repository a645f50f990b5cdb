"""What goes over a broker, what never does, and what is made of garbage."""

import json
import re
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chat_service.events.broker_messages import (
    FRAME_BYTES,
    MOST_BYTES,
    Ephemeral,
    Hint,
    Message,
    decode,
    encode,
)
from chat_service.schema import SessionId, Visibility, WorkspaceId, new_id

WORKSPACE = WorkspaceId(new_id())
SENDER_BYTES = 16
TEXT = "the text of a message"
ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=20,
)
hints = st.builds(Hint, workspace=st.uuids(), pos=st.integers(0, 2**63 - 1))
ephemerals = st.builds(
    Ephemeral,
    workspace=st.uuids(),
    session=st.uuids(),
    visibility=st.sampled_from(Visibility),
    frame=st.dictionaries(st.text(max_size=9), json_values, max_size=5),
)


def framed(frame: dict[str, Any]) -> Ephemeral:
    return Ephemeral(
        workspace=WORKSPACE,
        session=SessionId(new_id()),
        visibility=Visibility.INTERNAL,
        frame=frame,
    )


@given(hints | ephemerals)
def test_a_message_is_read_as_it_was_written(message: Message) -> None:
    assert decode(encode(message)) == message


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_garbage_raises_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode(data)


@given(hints | ephemerals, st.data())
def test_a_message_with_a_changed_byte_is_another_or_garbage(
    message: Message, data: st.DataObject
) -> None:
    written = bytearray(encode(message))
    written[data.draw(st.integers(0, len(written) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = decode(bytes(written))
    except ValueError:
        return
    assert isinstance(read, get_args(Message))


@pytest.mark.parametrize(
    "data",
    [
        b'{"kind":"ephemeral","frame":' + b"[" * 3_000,
        b'{"kind":"ephemeral","frame":{"a":' + b"9" * 400 + b"}}",
        b"[" * 7_000,
        b" " * (MOST_BYTES + 1) + encode(Hint(workspace=WORKSPACE, pos=1)),
    ],
    ids=["deep frame", "huge number", "deep", "long"],
)
def test_garbage_of_a_craftsman_raises_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode(data)


def test_a_frame_with_a_number_nobody_can_write_is_garbage() -> None:
    frame = b'{"n":' + b"9" * 400 + b"}"
    with pytest.raises(ValueError):
        decode(encode(framed({"n": 1})).replace(b'{"n":1}', frame))


@pytest.mark.conformance("broker_never_carries_message_text")
@given(hints)
def test_broker_never_carries_message_text(message: Hint) -> None:
    """A hint is an id and a number; there is no place for a text."""
    codes = "hint|kind|workspace|pos"
    assert re.fullmatch(rf'({{|}}|,|:|"({codes})"|"{ID}"|\d+)+', encode(message).decode())


@pytest.mark.parametrize(
    "fields",
    [
        {"pos": TEXT},
        {"pos": 1, "text": TEXT},
        {"pos": 1, "kind": TEXT},
        {"pos": 1, "workspace": TEXT},
        {"pos": -1},
        {"pos": 2**63},
        {"pos": 1.0},
        {"pos": True},
    ],
)
def test_a_hint_takes_a_position_and_nothing_else(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Hint(**({"workspace": WORKSPACE} | fields))


def test_the_largest_frame_fits() -> None:
    frame = {"text": "x" * (FRAME_BYTES - len('{"text":""}'))}
    assert SENDER_BYTES + len(encode(framed(frame))) <= MOST_BYTES
    frame["text"] += "x"
    with pytest.raises(ValidationError):
        framed(frame)


def test_a_frame_is_measured_in_bytes() -> None:
    with pytest.raises(ValidationError):
        framed({"text": "\U0001f600" * (FRAME_BYTES // 4)})


@pytest.mark.parametrize(
    "value",
    [object(), "\ud800", 2**64, {1: 2}],
    ids=["object", "half a character", "large", "number as name"],
)
def test_a_frame_is_json(value: object) -> None:
    with pytest.raises(ValidationError):
        framed({"value": value})


def test_ids_of_the_database_driver_are_ids() -> None:
    class DriverId(UUID):
        """As asyncpg makes them."""

    assert Hint(workspace=WorkspaceId(DriverId(int=WORKSPACE.int)), pos=1).workspace == WORKSPACE
