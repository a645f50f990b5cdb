"""One anonymous peer that sends more than anybody takes: the process must not grow by it."""

import os
import zlib
from pathlib import Path

import pytest

from chat_service.test.server.clients import NO_WAIT, Service, running
from chat_service.test.server.peers import BINARY, CONT, TEXT, frame, opened

FLOOD = 60_000_000
MUCH = 8_000_000
"""More than one connection may cost, and far less than one flood."""


def memory(service: Service) -> int:
    """The resident bytes of the process."""
    pages = Path(f"/proc/{service.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    "data", [frame(BINARY, bytes(60_000)), frame(TEXT) * 10_000], ids=["large", "empty"]
)
@pytest.mark.asvs("15.2.2")
@pytest.mark.api_top10("API4")
async def test_a_flood_of_messages_nobody_asks_for_is_held_back_and_not_kept(data: bytes) -> None:
    async with running(**NO_WAIT) as service, opened(service.port, "deaf") as peer:
        before = memory(service)
        assert await peer.send_until_held(data, FLOOD) < FLOOD
        assert memory(service) - before < MUCH


@pytest.mark.asvs("15.2.2")
@pytest.mark.api_top10("API4")
async def test_a_deflate_bomb_is_not_inflated() -> None:
    squeeze = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bomb = squeeze.compress(bytes(15_000_000)) + squeeze.flush(zlib.Z_SYNC_FLUSH)
    offer = b"sec-websocket-extensions: permessage-deflate\r\n"
    async with running(**NO_WAIT) as service, opened(service.port, "echo", offer) as peer:
        before = memory(service)
        await peer.send(frame(BINARY, bomb, rsv=4) * 10)
        assert await peer.code() == 1002
        assert memory(service) - before < MUCH


@pytest.mark.asvs("15.2.2")
@pytest.mark.api_top10("API4")
async def test_a_flood_of_fragments_is_not_kept() -> None:
    async with running(**NO_WAIT) as service, opened(service.port, "echo") as peer:
        before = memory(service)
        await peer.send(frame(TEXT, fin=False))
        await peer.send_until_held(frame(CONT, fin=False) * 10_000, 12_000_000)
        assert await peer.code() == 1008
        assert memory(service) - before < MUCH
