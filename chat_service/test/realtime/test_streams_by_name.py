"""A stream is known by its name, of which each session has one."""

import pytest

from chat_service.test.builders import Person, Workspace
from chat_service.test.realtime.talkers import Address
from chat_service.test.sessions.calls import waiting


@pytest.fixture
async def customer(workspace: Workspace) -> Person:
    """Whose session it is."""
    return await workspace.customer()


async def test_a_session_is_followed_once_whatever_its_name_looks_like(
    address: Address, customer: Person
) -> None:
    session_id = await waiting(customer)
    bare = session_id.replace("-", "")
    others = [bare + "----", bare[:18] + "----" + bare[18:], session_id.upper(), "-" * 36, bare]
    async with address.socket(customer) as socket:
        await socket.follow(session_id)
        for other in others:
            answer = await socket.ask("subscribe", stream=f"session:{other}")
            assert answer["problem"]["code"] == "validation_failed"
        again = await socket.ask("subscribe", stream=f"session:{session_id}")
        assert again["problem"]["code"] == "conflict"


async def test_a_frame_of_events_or_a_snapshot_has_at_most_64_kib(
    address: Address, customer: Person
) -> None:
    session_id = await waiting(customer)
    for number in range(12):
        await customer.send(session_id, str(number % 10) * 16_000)
    async with address.socket(customer) as socket:
        stream = f"session:{session_id}"
        await socket.say(op="subscribe", id=1, stream=stream, snapshot={"messages": 50})
        sizes, shown = [], 0
        while True:
            text = await socket.connection.recv()
            sizes.append(len(text))
            if '"op":"snapshot"' in str(text)[:40]:
                shown = str(text).count('"object":"message"')
            if '"op":"live"' in str(text)[:40]:
                break
        assert 1 < shown < 12
        await socket.ask("unsubscribe", stream=stream)
        await socket.say(op="subscribe", id=2, stream=stream, after="c1.p.0")
        told = 0
        while told < 12:
            text = await socket.connection.recv()
            sizes.append(len(text))
            told += str(text).count('"type":"message.created"')
        assert max(sizes) <= 65_536
