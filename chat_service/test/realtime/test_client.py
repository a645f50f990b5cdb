"""The Python client: sends until it is answered, follows through cuts over whatever comes through."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from chat_service.app import Service
from chat_service.schema import Role
from chat_service.test.builders import Workspace
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.talkers import PATIENCE, Address
from chat_service_client import AsyncChat, Chat, Problem, ResetByServer
from chat_service_client.retry import FIRST_SECONDS, Backoff


class WithoutStreams:
    """A proxy that knows no event streams: what is accepted does not come through."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, poorer."""
        headers = [pair for pair in scope["headers"] if pair[0] != b"accept"]
        await self._application({**scope, "headers": headers}, receive, send)


class Cutting:
    """A way to the service on which the answers of the first requests are lost."""

    def __init__(self, application: Any, lost: int) -> None:
        self._application = application
        self._lost = lost

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer, or do what was asked and answer 502."""
        if scope["method"] != "POST" or self._lost == 0:
            await self._application(scope, receive, send)
            return
        self._lost -= 1

        async def nowhere(_: Any) -> None:
            pass

        await self._application(scope, receive, nowhere)
        await send({"type": "http.response.start", "status": 502, "headers": []})
        await send({"type": "http.response.body", "body": b"bad gateway"})


WAYS = {
    "websocket": (lambda service: service, "websockets-sansio"),
    "server-sent events": (lambda service: service, "none"),
    "long-poll": (WithoutStreams, "none"),
}


@pytest.mark.parametrize(("wrapped", "ws"), WAYS.values(), ids=list(WAYS))
async def test_follows_each_event_once_over_whatever_comes_through(
    service: Service, workspace: Workspace, wrapped: Any, ws: str
) -> None:
    async with served(wrapped(service), ws=ws) as address:
        async with AsyncChat(f"http://{address.place}") as chat:
            await chat.begin(workspace.inbox_key, name="Ada")
            session = await chat.start("1")
            told = []
            async with asyncio.timeout(PATIENCE), aclosing(chat.follow(session["id"])) as events:
                async for event in events:
                    told.append(event["data"]["message"]["content"]["text"])
                    if len(told) == 5:
                        break
                    await chat.send(session["id"], str(len(told) + 1))
    assert told == ["1", "2", "3", "4", "5"]


async def test_a_lost_answer_leaves_one_message(service: Service, workspace: Workspace) -> None:
    async with served(Cutting(service, lost=2)) as address:
        customer = await workspace.customer()
        async with AsyncChat(f"http://{address.place}", customer.token) as chat:
            session = await chat.start("Hello")
            await chat.send(session["id"], "Again")
            said = await chat.messages(session["id"])
    assert [each["content"]["text"] for each in said] == ["Hello", "Again"]


async def test_a_refusal_is_raised_at_once(address: Address, workspace: Workspace) -> None:
    async with AsyncChat(f"http://{address.place}") as chat:
        with pytest.raises(Problem) as refused:
            await chat.sign_in("nobody@example.org", "x", workspace=workspace.slug)
        assert (refused.value.status, refused.value.code) == (400, "invalid_grant")
        await chat.begin(workspace.inbox_key)
        with pytest.raises(Problem) as missing:
            await chat.session(str(workspace.id))
        assert missing.value.code == "not_found"


async def test_a_log_that_was_set_back_is_told(address: Address, workspace: Workspace) -> None:
    customer = await workspace.customer()
    session_id = (await customer.start())["session"]["id"]
    async with AsyncChat(f"http://{address.place}", customer.token) as chat:
        with pytest.raises(ResetByServer, match="cursor_ahead"):
            async with aclosing(chat.follow(session_id, after="c1.p.9.00000000")) as events:
                await anext(events)


async def test_staff_follow_in_their_own_numbers(address: Address, workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = (await customer.start())["session"]["id"]
    async with AsyncChat(f"http://{address.place}", admin.token) as chat:
        await chat.send(session_id, "note", visibility="internal")
        async with aclosing(chat.follow(session_id)) as events:
            told = [await anext(events) for _ in range(2)]
    assert [event["seq"] for event in told] == [1, 2]


async def test_the_same_without_async(address: Address, workspace: Workspace) -> None:
    def talk() -> list[str]:
        with Chat(f"http://{address.place}") as chat:
            chat.begin(workspace.inbox_key)
            session = chat.start("1")
            chat.send(session["id"], "2")
            events = chat.follow(session["id"])
            told = [next(events)["type"] for _ in range(2)]
            events.close()  # type: ignore[attr-defined]
            return told

    assert await asyncio.to_thread(talk) == ["message.created", "message.created"]


@pytest.mark.parametrize(("held", "waits"), [(0.5, 8), (1.0, 1)])
def test_a_quiet_connection_that_held_is_no_reason_to_wait_longer(held: float, waits: int) -> None:
    backoff = Backoff()
    for _ in range(3):
        backoff.next()
    backoff.held(held * 60)
    assert backoff.seconds == waits * FIRST_SECONDS
