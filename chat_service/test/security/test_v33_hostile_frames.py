"""V33: whatever comes over a socket, at worst that socket is closed, and the others are unharmed.

Zammad CVE-2020-10101, Mattermost CVE-2026-5740.
"""

import json
from collections.abc import AsyncIterator
from os import environ
from random import Random, SystemRandom
from typing import Any, Final

import pytest
from websockets.exceptions import ConnectionClosed

from chat_service.app import Service
from chat_service.test.backends import count
from chat_service.test.builders import Person, Workspace, build_workspace, message
from chat_service.test.events.apart import client_of
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.talkers import Address, Socket

PAYLOADS: Final = count(150, many=10_000)
ENDS: Final = {1002, 1003, 1007, 1008, 1009, 4013, 4500}
"""By what a hostile socket may be closed."""
SIGN_IN_AGAIN: Final = 4501
"""And by this where a frame was spoiled into a good one with a token that is none."""
HOSTILE: Final[tuple[Any, ...]] = (
    None, True, -1, 10**400, 1e308, "", "\0", "x" * 5_000, [], {}, [[]], {"a": {}}, "hello", 2**53,
)  # fmt: skip


@pytest.fixture(scope="module")
async def address(service: Service) -> AsyncIterator[Address]:
    """Where the service listens."""
    async with served(service) as address:
        yield address


@pytest.fixture(scope="module")
async def shop(service: Service) -> AsyncIterator[Workspace]:
    """A workspace of this file's own."""
    async with client_of(service) as client:
        yield await build_workspace(service, client)


def good(session_id: str) -> list[dict[str, Any]]:
    """A frame of each kind that a client may send."""
    stream = f"session:{session_id}"
    return [
        {"op": "hello", "token": "at_1"},
        {"op": "auth", "id": 1, "token": "at_1"},
        {"op": "subscribe", "id": 2, "stream": stream, "after": "c1.p.0", "snapshot": {}},
        {"op": "unsubscribe", "id": 3, "stream": stream},
        {"op": "send", "id": 4, "session_id": session_id, **message()},
        {"op": "read", "session_id": session_id, "read_seq": 1},
        {"op": "typing", "session_id": session_id, "is_typing": True},
        {"op": "ping", "t": 1},
        {"op": "pong", "t": 1},
    ]


def spoiled(random: Random, session_id: str) -> str | bytes:
    """A frame with something wrong about it, or bytes that are none."""
    frame = random.choice(good(session_id))
    match random.randrange(5):
        case 0:
            return random.randbytes(random.randrange(200))
        case 1:
            return "".join(chr(random.randrange(1, 0xD7FF)) for _ in range(random.randrange(200)))
        case 2:
            text = json.dumps(frame)
            return text[: random.randrange(len(text))]
        case 3:
            frame[random.choice([*frame, "extra", "op"])] = random.choice(HOSTILE)
            return json.dumps(frame)
    del frame[random.choice(list(frame))]
    return json.dumps(frame)


@pytest.mark.timeout(600)
async def test_no_frame_does_more_than_end_its_own_socket(
    address: Address, shop: Workspace
) -> None:
    seed = int(environ.get("CHAT_FAULTS_SEED") or SystemRandom().randrange(10**9))
    print(f"CHAT_FAULTS_SEED={seed}")
    random, (victim, session_id) = Random(seed), await begun(shop)
    async with address.socket(victim) as unharmed:
        await unharmed.follow(session_id)
        for _ in range(PAYLOADS):
            attacker, own = await begun(shop) if random.random() < 0.05 else (victim, session_id)
            payloads = [spoiled(random, own) for _ in range(3)]
            code = await throw(address, attacker, payloads)
            assert code is None or code in ends_of(payloads), (code, payloads)
        last = (await victim.send(session_id, "Still there?")).json()["message"]["seq"]
        await unharmed.until_seq(session_id, last)
        assert (await shop.client.get("/health")).status_code == 200


def ends_of(payloads: list[str | bytes]) -> set[int]:
    """By what a socket may be closed over which this came."""
    renews = any('"op": "auth"' in str(payload) for payload in payloads)
    return ENDS | {SIGN_IN_AGAIN} if renews else ENDS


async def begun(shop: Workspace) -> tuple[Person, str]:
    """A customer with a session."""
    customer = await shop.customer()
    return customer, str((await customer.start())["session"]["id"])


async def throw(address: Address, who: Person, payloads: list[str | bytes]) -> int | None:
    """Send what is wrong to a socket; by which code it was closed, if it was."""
    async with address.socket(who) as socket:
        try:
            for payload in payloads:
                await socket.connection.send(payload)
            await _answered(socket)
        except ConnectionClosed as end:
            return end.rcvd.code if end.rcvd else 1006
    return None


async def _answered(socket: Socket) -> None:
    """Wait until all that was sent before has been handled."""
    await socket.say(op="ping", t=77)
    await socket.until("pong", t=77)
