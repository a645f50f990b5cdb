"""Frames with wrong values: the socket goes on, and the answer is that of the request."""

from typing import Any

import pytest

from chat_service.test.builders import Json, Workspace, message
from chat_service.test.messages.test_routes import WRONG_BODIES
from chat_service.test.realtime.talkers import Address

WRONG = {name: fields for name, (fields, _) in WRONG_BODIES.items()} | {
    "no message at all": {"content": None, "metadata": 5, "author": 5},
    "data that is a text": {"metadata": "x"},
    "a content that is a list": {"content": []},
    "a name with signs": {"a/~b": 1},
}
FRAMES: dict[str, tuple[Json, list[str]]] = {
    "snapshot": ({"op": "subscribe", "stream": "sessions", "snapshot": 5}, ["/snapshot"]),
    "messages": (
        {"op": "subscribe", "stream": "sessions", "snapshot": {"messages": 201}},
        ["/snapshot/messages"],
    ),
    "stream": ({"op": "unsubscribe", "stream": {}}, ["/stream"]),
    "no session": (
        {"op": "read", "read_seq": "x"},
        ["/read_seq", "/session_id", "/id"],
    ),
    "token": ({"op": "auth", "token": []}, ["/token"]),
}


@pytest.mark.parametrize("fields", WRONG.values(), ids=list(WRONG))
async def test_a_message_is_refused_in_a_frame_as_in_a_request(
    address: Address, workspace: Workspace, fields: Json
) -> None:
    customer = await workspace.customer()
    session_id = (await customer.start())["session"]["id"]
    body = {**message(), **fields}
    refused = (await customer.post(f"/v1/sessions/{session_id}/messages", body)).json()
    async with address.socket(customer) as socket:
        answer = await socket.ask("send", session_id=session_id, **body)
        assert _said(answer["problem"]) == _said(refused)
        assert refused["status"] == 422
        assert (await socket.send(session_id))["op"] == "ack"


def _said(problem: Json) -> tuple[Any, ...]:
    return problem["code"], problem["status"], problem["errors"]


@pytest.mark.parametrize(("frame", "pointers"), FRAMES.values(), ids=list(FRAMES))
async def test_a_pointer_leads_into_the_frame(
    address: Address, workspace: Workspace, frame: Json, pointers: list[str]
) -> None:
    customer = await workspace.customer()
    async with address.socket(customer) as socket:
        problem = (await socket.ask(**frame))["problem"]
    assert [item["pointer"] for item in problem["errors"]] == pointers
