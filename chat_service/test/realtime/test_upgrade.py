"""Which upgrades are accepted, and what the others are answered."""

from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from chat_service.test.realtime.talkers import Address


async def refusal(
    place: str, path: str = "/v1/realtime", *, subprotocols: Any = ("chat.v1",)
) -> tuple[int, str]:
    """The status and content type that an upgrade is refused with."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://{place}{path}", subprotocols=subprotocols):
            pass
    response = refused.value.response
    return response.status_code, response.headers["Content-Type"]


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
    ],
)
async def test_there_is_one_address_for_sockets(address: Address, path: str) -> None:
    assert await refusal(address.place, path) == (426, "application/problem+json")


@pytest.mark.parametrize("offered", [None, ["chat.v2"], ["chat", "v1"]])
async def test_another_protocol_is_refused(address: Address, offered: list[str] | None) -> None:
    refused = await refusal(address.place, subprotocols=offered)
    assert refused == (426, "application/problem+json")


async def test_of_several_protocols_ours_is_chosen(address: Address) -> None:
    offered: Any = ["chat.v9", "chat.v1"]
    async with connect(f"ws://{address.place}/v1/realtime", subprotocols=offered) as socket:
        assert socket.subprotocol == "chat.v1"
        assert "permessage-deflate" not in str(socket.response and socket.response.headers)
