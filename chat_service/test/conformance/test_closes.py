"""What the Python client does when its socket is closed, code by code: 44 of the protocol."""

import asyncio
import time
from contextlib import aclosing
from typing import Any

import orjson
import pytest

from chat_service.test.builders import Json, Person, Workspace
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.talkers import PATIENCE
from chat_service_client import AsyncChat, Problem

COMES_AGAIN = [1001, 1011, 1012, 1013, 1014, 4003, 4008, 4010, 4012, 4013, 4000, 4499]
"""Those of the table, the unknown of its ranges, and one of the standard that it does not name."""
STOPS = [1008, 1009, 4500, 4502, 4503, 4504, 4505, 4506, 4507, 4999]
AFTER_MS = 700
"""Longer than a first try would wait by itself."""


class Closing:
    """A service that closes the first socket with a code, with a goodbye before it or without."""

    def __init__(self, service: Any, code: int, *, goodbye: bool) -> None:
        self.opened: list[float] = []
        self.asked: list[str] = []
        """The requests there were."""
        self.wanted_at = 0.0
        self._service = service
        self._code = code
        self.says_goodbye = goodbye

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve all but the first socket."""
        if scope["type"] != "websocket":
            self.asked.append(scope["path"])
            await self._service(scope, receive, send)
            return
        self.opened.append(time.monotonic())
        if len(self.opened) > 1:
            await self._service(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "chat.v1"})
        assert orjson.loads((await receive())["text"])["op"] == "hello"
        await self._close(send)

    async def _close(self, send: Any) -> None:
        end: Json = {"op": "goodbye", "code": self._code, "reason": "", "after_ms": AFTER_MS}
        if self.says_goodbye:
            text = orjson.dumps({**end, "reconnect": False}).decode()
            await send({"type": "websocket.send", "text": text})
        self.wanted_at = time.monotonic() + AFTER_MS / 1000
        await send({"type": "websocket.close", "code": self._code, "reason": "so it is"})


async def first_event(chat: AsyncChat, session_id: str) -> Json:
    """What is told first, over however many connections."""
    async with asyncio.timeout(PATIENCE), aclosing(chat.follow(session_id)) as events:
        return dict(await anext(events))


async def outcome(person: Person, session_id: str, closing: Closing) -> str:
    """What a client did after its first socket was closed."""
    async with served(closing) as address:
        async with AsyncChat(f"http://{address.place}", person.token) as chat:
            try:
                await first_event(chat, session_id)
            except Problem as problem:
                return f"{problem.code}, {len(closing.opened)} socket"
    first, again = closing.opened
    assert first < again
    return "too soon" if closing.says_goodbye and again < closing.wanted_at else "came again"


@pytest.mark.conformance(44)
@pytest.mark.parametrize("goodbye", [True, False], ids=["goodbye", "silent"])
async def test_goodbye_and_close_code_table_is_honoured_by_sdk(
    workspace: Workspace, goodbye: bool
) -> None:
    customer, key = await workspace.customer(), await workspace.key()
    session_id = (await customer.start())["session"]["id"]
    codes = [*COMES_AGAIN, *STOPS]
    closings = [Closing(workspace.service, code, goodbye=goodbye) for code in codes]
    done = await asyncio.gather(*(outcome(key, session_id, each) for each in closings))
    expected = dict.fromkeys(COMES_AGAIN, "came again")
    expected |= {code: f"{code}, 1 socket" for code in STOPS}
    assert dict(zip(codes, done, strict=True)) == expected


@pytest.mark.conformance(44)
@pytest.mark.parametrize("goodbye", [True, False], ids=["goodbye", "silent"])
async def test_nothing_more_is_done_after_a_normal_close(
    workspace: Workspace, goodbye: bool
) -> None:
    customer = await workspace.customer()
    session_id = (await customer.start())["session"]["id"]
    closing = Closing(workspace.service, 1000, goodbye=goodbye)
    async with served(closing) as address, asyncio.timeout(PATIENCE):
        async with AsyncChat(f"http://{address.place}", customer.token) as chat:
            assert [event async for event in chat.follow(session_id)] == []
    assert (len(closing.opened), closing.asked) == (1, [])


@pytest.mark.conformance(44)
@pytest.mark.parametrize("code", [4001, 4501])
async def test_a_customer_comes_again_with_another_token(workspace: Workspace, code: int) -> None:
    closing = Closing(workspace.service, code, goodbye=True)
    async with served(closing) as address:
        async with AsyncChat(f"http://{address.place}") as chat:
            await chat.begin(workspace.inbox_key)
            session = await chat.start("Hello")
            assert (await first_event(chat, session["id"]))["seq"] == 1
    assert (len(closing.opened), closing.asked[2:]) == (2, ["/v1/auth/token"])


@pytest.mark.conformance(44)
@pytest.mark.parametrize("code", [4001, 4501])
async def test_who_has_to_sign_in_again_is_told_so(workspace: Workspace, code: int) -> None:
    customer = await workspace.customer()
    session_id = (await customer.start())["session"]["id"]
    async with served(Closing(workspace.service, code, goodbye=True)) as address:
        async with AsyncChat(f"http://{address.place}", customer.token) as chat:
            with pytest.raises(Problem) as raised:
                await first_event(chat, session_id)
    assert (raised.value.code, raised.value.status) == (str(code), 401)
