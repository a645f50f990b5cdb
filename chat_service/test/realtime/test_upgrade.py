"""Which upgrades are accepted, and what the others are answered."""

import json
from typing import Any
from urllib.parse import unquote

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from chat_service.test.realtime.talkers import Address


async def refusal(
    place: str, path: str = "/v1/realtime", *, subprotocols: Any = ("chat.v1",)
) -> tuple[int, str, str]:
    """The status, the code and the path that an upgrade is refused with."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://{place}{path}", subprotocols=subprotocols):
            pass
    response = refused.value.response
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = json.loads(response.body or b"")
    assert response.status_code == problem["status"]
    return response.status_code, problem["code"], problem["instance"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/realtime/",
        "/v1/realtime/tickets",
        "/v1/sessions",
        "/health",
        "/docs",
        "/%76%31/realtime/..",
        "/nowhere",
        "/nowhere/%22%C3%A4?after=5",
    ],
)
async def test_there_is_one_address_for_sockets(address: Address, path: str) -> None:
    status, code, instance = await refusal(address.place, path)
    assert (status, code) == (404, "not_found")
    assert unquote(instance) == unquote(path.partition("?")[0])
    assert instance.isascii() and '"' not in instance


@pytest.mark.parametrize("offered", [None, ["chat.v2"], ["chat", "v1"]])
async def test_another_protocol_is_refused(address: Address, offered: list[str] | None) -> None:
    refused = await refusal(address.place, subprotocols=offered)
    assert refused == (426, "upgrade_required", "/v1/realtime")


async def test_of_several_protocols_ours_is_chosen(address: Address) -> None:
    offered: Any = ["chat.v9", "chat.v1"]
    async with connect(f"ws://{address.place}/v1/realtime", subprotocols=offered) as socket:
        assert socket.subprotocol == "chat.v1"
        assert "permessage-deflate" not in str(socket.response and socket.response.headers)
