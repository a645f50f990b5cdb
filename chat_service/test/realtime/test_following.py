"""The Python client follows on: past a renewal that fails, a gap and many cuts, to a normal end."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from chat_service.app import Service
from chat_service.test.builders import Workspace
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.scripted import Part, Scripted, event
from chat_service.test.realtime.talkers import PATIENCE
from chat_service_client import AsyncChat, Chat, Problem
from chat_service_client.following import Follower
from chat_service_client.position import Event
from chat_service_client.retry import Backoff

LARGEST = "\x01" * 16 * 1024
"""A text that is six times as long where it is sent."""
Answer = Callable[[Any], Awaitable[None]]


async def unavailable(send: Any) -> None:
    """Answer as a service that is just being restarted."""
    headers = [(b"retry-after", b"1")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"code": "x", "retryable": true}'})


async def refused(send: Any) -> None:
    """Answer that there is no other token for this one."""
    await send({"type": "http.response.start", "status": 400, "headers": []})
    await send({"type": "http.response.body", "body": b'{"code": "invalid_grant"}'})


async def cut(send: Any) -> None:
    """End the connection within the answer."""
    headers = [(b"content-length", b"9")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


class Expiring:
    """A service that ends the token of the first socket, and fails at the first renewal of it."""

    def __init__(self, service: Service, answer: Answer) -> None:
        self.renewals: list[float] = []
        self.sockets = 0
        self._service = service
        self._answer = answer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve what is not the first of its kind."""
        if scope["type"] == "websocket":
            self.sockets += 1
            if self.sockets == 1:
                await receive()
                await send({"type": "websocket.accept", "subprotocol": "chat.v1"})
                await send({"type": "websocket.close", "code": 4001})
                return
        elif scope["path"] == "/v1/auth/token":
            self.renewals.append(time.monotonic())
            if len(self.renewals) == 1:
                await self._answer(send)
                return
        await self._service(scope, receive, send)


@asynccontextmanager
async def following(
    workspace: Workspace, expiring: Expiring
) -> AsyncIterator[AsyncGenerator[Event, None]]:
    """What a new customer is told of a session of his own, which has one event."""
    async with served(expiring) as address, AsyncChat(f"http://{address.place}") as chat:
        await chat.begin(workspace.inbox_key)
        session = await chat.start("Hello")
        async with asyncio.timeout(PATIENCE), aclosing(chat.follow(session["id"])) as events:
            yield events


@pytest.mark.parametrize("answer", [unavailable, cut])
async def test_a_renewal_that_fails_is_tried_again(workspace: Workspace, answer: Answer) -> None:
    expiring = Expiring(workspace.service, answer)
    async with following(workspace, expiring) as events:
        assert (await anext(events))["seq"] == 1
    assert (len(expiring.renewals), expiring.sockets) == (2, 2)


async def test_a_renewal_waits_for_as_long_as_it_is_asked_to(workspace: Workspace) -> None:
    expiring = Expiring(workspace.service, unavailable)
    async with following(workspace, expiring) as events:
        await anext(events)
    first, again = expiring.renewals
    assert again - first >= 0.95


async def test_a_renewal_that_is_refused_is_the_end(workspace: Workspace) -> None:
    expiring = Expiring(workspace.service, refused)
    async with following(workspace, expiring) as events:
        with pytest.raises(Problem, match="invalid_grant"):
            await anext(events)
    assert (len(expiring.renewals), expiring.sockets) == (1, 1)


async def followed(scripted: Scripted) -> list[int]:
    """The numbers of all events until the end."""
    async with served(scripted) as address, AsyncChat(f"http://{address.place}", "token") as chat:
        async with asyncio.timeout(PATIENCE), aclosing(chat.follow("0199")) as events:
            return [each["seq"] async for each in events]


async def test_an_event_that_is_missing_is_asked_for_again_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second, third = map(event, (1, 2, 3))
    scripted = Scripted({"": [Part((first, third), code=None), Part((second, third))]})
    assert await followed(scripted) == [1, 2, 3]
    assert [visit.after for visit in scripted.visits[""]] == ["c1.p.0", first["cursor"]]
    ours = [each for each in caplog.records if each.name.startswith("chat_service_client")]
    assert [each.levelname for each in ours] == ["ERROR"]


async def test_the_largest_event_is_read() -> None:
    assert await followed(Scripted({"": [Part((event(1, LARGEST),))]})) == [1]


async def test_a_normal_end_is_the_end_without_async_as_well() -> None:
    def follow(url: str) -> list[int]:
        with Chat(url, "token") as chat:
            return [each["seq"] for each in chat.follow("0199")]

    async with served(Scripted({"": [Part((event(1),))]})) as address:
        async with asyncio.timeout(PATIENCE):
            assert await asyncio.to_thread(follow, f"http://{address.place}") == [1]


@dataclass
class Impatient(Backoff):
    """Does not wait, and notes how long it may have been at most."""

    def __post_init__(self) -> None:
        self.most: list[float] = []

    def next(self, asked: float | None = None) -> float:
        """No wait."""
        self.most.append(self.seconds)
        super().next(asked)
        return 0.0


@pytest.mark.parametrize(
    ("backoff", "most"),
    [(Impatient(), [0.5, 1.0, 2.0, 4.0]), (Impatient(steady=0.0), [0.5, 0.5, 0.5, 0.5])],
    ids=["cut too soon", "steady"],
)
async def test_only_a_steady_connection_lets_the_waits_begin_anew(
    backoff: Impatient, most: list[float]
) -> None:
    cuts = [Part((event(seq),), code=1012) for seq in (1, 2, 3, 4)]
    async with (
        served(Scripted({"": cuts})) as address,
        httpx2.AsyncClient(base_url=f"http://{address.place}") as http,
        AsyncChat(f"http://{address.place}", "token") as chat,
    ):
        follower = Follower(chat, http, "0199", after=None, silence=PATIENCE, backoff=backoff)
        assert [each["seq"] async for each in follower.events()] == [1, 2, 3, 4]
    assert backoff.most == most


def test_the_longest_wait_is_half_a_minute() -> None:
    backoff = Backoff()
    assert max(backoff.next() for _ in range(100)) <= 30.0
    assert backoff.seconds == 30.0
