"""A connection cut anywhere: the promise 20."""

import json
from contextlib import suppress

import httpx2
import pytest

from chat_service.test.backends import LONG, limited_to
from chat_service.test.builders import Json, Workspace
from chat_service.test.conformance.roaming import Roamer
from chat_service.test.proxy import Proxy, proxied, reaching
from chat_service.test.realtime.talkers import Address

REPLAYED = 2
STEP = 1 if LONG else 97
"""From one offset to the next; no divisor of anything, so that it meets all parts of a frame."""


async def over_websocket(roamer: Roamer, address: Address) -> None:
    """Resume over WebSocket."""
    await roamer.try_to_read_on(address, upto=REPLAYED)


async def over_sse(roamer: Roamer, address: Address) -> None:
    """Resume over server-sent events."""
    given = {"headers": {"Last-Event-ID": roamer.cursor}}
    with suppress(httpx2.TransportError):
        async with address.stream(roamer.person, roamer.session_id, **given) as source:
            async for told in source:
                if told.id and told.event == "message.created":
                    event: Json = json.loads(told.data)
                    assert (event["seq"], event["cursor"]) == (roamer.seq + 1, told.id)
                    roamer.applied.append(event)
                if roamer.seq == REPLAYED:
                    break


WAYS = {"websocket": over_websocket, "server-sent events": over_sse}


async def cut(proxy: Proxy, roamer: Roamer, way: str, *, after: int | None) -> None:
    """Resume over a connection that ends after so many bytes."""
    proxy.cut_after = after
    await WAYS[way](roamer, Address(f"127.0.0.1:{proxy.port}"))


@pytest.mark.conformance(20)
@pytest.mark.timeout(3_600 if LONG else 60)
@limited_to("postgres")
@pytest.mark.parametrize("way", list(WAYS))
async def test_resume_after_cut_at_every_byte_offset(
    address: Address, workspace: Workspace, way: str
) -> None:
    customer = await workspace.customer()
    session_id = (await customer.start("1"))["session"]["id"]
    await customer.send(session_id, "2")
    log = [event["id"] for event in await customer.events(session_id)]
    applied, offset, whole = [], 0, False
    async with proxied(reaching("127.0.0.1", int(address.place.rpartition(":")[2]))) as proxy:
        while not whole:
            roamer = Roamer(customer, session_id)
            await cut(proxy, roamer, way, after=offset)
            applied.append(roamer.seq)
            whole = roamer.seq == REPLAYED
            await cut(proxy, roamer, way, after=None)
            assert [event["id"] for event in roamer.applied] == log, f"cut after {offset} bytes"
            offset += STEP
    assert applied[0] == 0 and applied == sorted(applied)
