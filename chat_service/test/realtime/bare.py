"""Connections without a server or a network: what leaves waits until the test takes it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from chat_service.app import Service
from chat_service.test.builders import Json, Person
from chat_service.test.realtime.talkers import PATIENCE


class Bare:
    """The far end of one connection, which reads when it is asked to, and not before."""

    def __init__(self) -> None:
        self._coming: asyncio.Queue[Json] = asyncio.Queue()
        self._leaving: asyncio.Queue[Json] = asyncio.Queue(1)
        self._taken = asyncio.Semaphore(0)

    async def receive(self) -> Json:
        """For the application: what comes next."""
        return await self._coming.get()

    async def send(self, message: Json) -> None:
        """For the application: done when the test has read it."""
        await self._leaving.put(message)
        await self._taken.acquire()

    async def pass_by(self) -> None:
        """Take whatever leaves, unread."""
        with suppress(asyncio.QueueEmpty):
            self._leaving.get_nowait()
            self._taken.release()
        await asyncio.sleep(0.001)

    def put(self, kind: str, **fields: Any) -> None:
        """Let something come."""
        self._coming.put_nowait({"type": kind, **fields})

    async def waiting(self) -> None:
        """Wait until something has left that was not read."""
        async with asyncio.timeout(PATIENCE):
            while self._leaving.empty():
                await asyncio.sleep(0.001)

    async def take(self) -> Json:
        """Read the next thing that leaves."""
        async with asyncio.timeout(PATIENCE):
            message = await self._leaving.get()
        self._taken.release()
        return message


class BareSocket(Bare):
    """A WebSocket."""

    def say(self, **frame: Any) -> None:
        """Send a frame."""
        self.put("websocket.receive", text=json.dumps(frame))

    async def follow(self, session_id: str, after: str) -> None:
        """Follow a session from a cursor."""
        self.say(op="subscribe", id=1, stream=f"session:{session_id}", after=after)
        await self.until("subscribed")

    async def read(self) -> Json:
        """The next frame; the end, as a frame `close` with its code."""
        message = await self.take()
        if message["type"] == "websocket.send":
            frame: Json = json.loads(message["text"])
            return frame
        return {"op": message["type"].removeprefix("websocket."), "code": message.get("code")}

    async def until(self, op: str) -> Json:
        """Take frames up to one of a kind."""
        while (frame := await self.read())["op"] != op:
            pass
        return frame

    async def until_seq(self, seq: int) -> None:
        """Take frames up to the event of that number."""
        while (frame := await self.read())["op"] != "events" or frame["events"][-1]["seq"] < seq:
            assert frame["op"] not in ("goodbye", "close"), frame


class BareStream(Bare):
    """An answer to a request."""

    async def start(self) -> int:
        """The status."""
        return int((await self.take())["status"])

    async def rest(self) -> str:
        """All that still comes, to the end."""
        text, goes_on = "", True
        while goes_on:
            message = await self.take()
            text += message["body"].decode()
            goes_on = message.get("more_body", False)
        return text


@asynccontextmanager
async def _living(service: Service, scope: Json, peer: Bare) -> AsyncIterator[None]:
    living = asyncio.create_task(service(scope, peer.receive, peer.send))
    try:
        yield
    finally:
        peer.put(f"{scope['type']}.disconnect", code=1006)
        async with asyncio.timeout(PATIENCE):
            while not living.done():
                await peer.pass_by()


@asynccontextmanager
async def bare_socket(service: Service, person: Person) -> AsyncIterator[BareSocket]:
    """A socket of a person who has said hello."""
    peer = BareSocket()
    scope: Json = {
        "type": "websocket",
        "path": "/v1/realtime",
        "scheme": "ws",
        "headers": [(b"host", b"test")],
        "subprotocols": ["chat.v1"],
    }
    peer.put("websocket.connect")
    async with _living(service, scope, peer):
        await peer.until("accept")
        peer.say(op="hello", token=person.token)
        await peer.until("welcome")
        yield peer


@asynccontextmanager
async def bare_stream(
    service: Service, person: Person, path: str, query: str = ""
) -> AsyncIterator[BareStream]:
    """A stream of server-sent events."""
    peer = BareStream()
    headers = {"host": "test", "accept": "text/event-stream", "authorization": "Bearer "}
    headers["authorization"] += person.token
    scope: Json = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    peer.put("http.request", body=b"", more_body=False)
    async with _living(service, scope, peer):
        yield peer
