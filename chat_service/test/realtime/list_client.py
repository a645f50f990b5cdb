"""Clients inside this process: sockets and streams, and a console as far as its list goes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson

from chat_service.app import Service
from chat_service.test.builders import Json, Person

PATIENCE = 20.0
"""Seconds after which a test fails rather than hangs."""
UNCLOSED = "queued,open,pending,snoozed"
SCOPE: Json = {
    "type": "websocket",
    "scheme": "ws",
    "path": "/v1/realtime",
    "subprotocols": ["chat.v1"],
    "headers": [(b"host", b"127.0.0.1")],
    "extensions": {},
}


class Socket:
    """One socket of a service in this process; what it says is kept in order."""

    def __init__(self) -> None:
        self.said: list[Json] = []
        self._inbox: asyncio.Queue[Json] = asyncio.Queue()
        self._heard = asyncio.Event()
        self._next = 0

    def send(self, **frame: Any) -> None:
        """Say a frame."""
        self._inbox.put_nowait({"type": "websocket.receive", "text": orjson.dumps(frame).decode()})

    async def next(self, *ops: str) -> Json:
        """The next frame with one of these names; others are passed by."""
        async with asyncio.timeout(PATIENCE):
            while True:
                while self._next < len(self.said):
                    self._next += 1
                    if self.said[self._next - 1]["op"] in ops:
                        return self.said[self._next - 1]
                self._heard.clear()
                await self._heard.wait()

    async def receive(self) -> Json:
        """What the service receives."""
        return await self._inbox.get()

    async def take(self, message: Json) -> None:
        """What the service sends."""
        if message["type"] == "websocket.send":
            self.said.append(orjson.loads(message["text"]))
            self._heard.set()

    def leave(self) -> None:
        """Go without a word."""
        self._inbox.put_nowait({"type": "websocket.disconnect", "code": 1006})


@asynccontextmanager
async def connected(service: Service, person: Person) -> AsyncIterator[Socket]:
    """A socket on which somebody has said hello."""
    socket = Socket()
    socket._inbox.put_nowait({"type": "websocket.connect"})
    task = asyncio.create_task(service(dict(SCOPE), socket.receive, socket.take))
    try:
        socket.send(op="hello", token=person.token)
        await socket.next("welcome")
        yield socket
    finally:
        socket.leave()
        await task


@dataclass
class Console:
    """What one agent knows of a view; `told` are all ids he was ever given."""

    person: Person
    view: str
    window: int
    sessions: dict[str, Json] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    cursor: str = ""
    counts: Json = field(default_factory=dict)
    resets: list[str] = field(default_factory=list)

    async def list(self) -> None:
        """Begin with a page of the list."""
        page = await self.page()
        self.sessions = {session["id"]: session for session in page["data"]}
        self.told |= set(self.sessions)
        self.cursor = page["feed_cursor"]

    async def page(self) -> Json:
        """The list as it is now."""
        params = {"view": self.view, "status": UNCLOSED, "limit": self.window}
        response = await self.person.get("/v1/sessions", params=params)
        assert response.status_code == 200, response.text
        page: Json = response.json()
        return page

    async def subscribe(self, socket: Socket, **rest: Any) -> Json:
        """Follow the view on from the cursor; the answer."""
        given: Json = {"view": self.view, "window": self.window, "after": self.cursor or None}
        socket.send(op="subscribe", id=1, stream="sessions", **{**given, **rest})
        return await socket.next("subscribed", "error", "goodbye")

    def apply(self, frame: Json) -> None:
        """What a console does with a `sessions` frame."""
        for session in frame["changed"]:
            known = self.sessions.get(session["id"])
            assert known is None or known["version"] <= session["version"]
            self.sessions[session["id"]] = session
            self.told.add(session["id"])
        for session_id in frame["removed"]:
            self.sessions.pop(session_id, None)
        self.counts = frame["counts"] or self.counts
        if frame["cursor"] is not None:
            assert position(frame["cursor"]) >= position(self.cursor)
            self.cursor = frame["cursor"]

    async def follow(self, socket: Socket) -> bool:
        """Apply what comes until the list has to be begun anew, if not the connection."""
        while True:
            frame = await socket.next("sessions", "reset", "goodbye")
            if frame["op"] == "goodbye":
                return False
            if frame["op"] == "reset":
                self.resets.append(frame["reason"])
                return True
            self.apply(frame)


@dataclass(frozen=True)
class Told:
    """One server-sent event."""

    name: str
    id: str | None
    data: Any


class Stream:
    """A response of server-sent events that goes on."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self._asked = False
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._rest = b""

    async def receive(self) -> Json:
        """What the service receives: a request without a body, and at last its client's leaving."""
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def take(self, message: Json) -> None:
        """What the service sends."""
        if message["type"] == "http.response.start":
            assert message["status"] == 200
        elif body := message.get("body"):
            self._chunks.put_nowait(body)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._chunks.put_nowait(None)

    async def next(self) -> Told:
        """The next event that is no heartbeat."""
        async with asyncio.timeout(PATIENCE):
            while True:
                while b"\n\n" not in self._rest:
                    chunk = await self._chunks.get()
                    assert chunk is not None, "the stream has ended"
                    self._rest += chunk
                text, _, self._rest = self._rest.partition(b"\n\n")
                fields = dict(line.split(": ", 1) for line in text.decode().splitlines())
                if fields.get("event", "heartbeat") != "heartbeat":
                    data = orjson.loads(fields["data"])
                    return Told(fields["event"], fields.get("id"), data)

    async def rest(self) -> str:
        """Wait for the end; all that came before it."""
        async with asyncio.timeout(PATIENCE):
            while (chunk := await self._chunks.get()) is not None:
                self._rest += chunk
        return self._rest.decode()

    async def ended(self) -> bool:
        """Wait for the end; tells whether nothing came before it."""
        async with asyncio.timeout(PATIENCE):
            return await self._chunks.get() is None


@asynccontextmanager
async def streamed(
    service: Service,
    person: Person,
    path: str,
    *,
    last_event_id: str | None = None,
    **params: Any,
) -> AsyncIterator[Stream]:
    """A stream of somebody's."""
    headers = {"authorization": f"Bearer {person.token}", "accept": "text/event-stream"}
    if last_event_id is not None:
        headers["last-event-id"] = last_event_id
    scope: Json = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": urlencode(params).encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "extensions": {},
    }
    stream = Stream()
    task = asyncio.create_task(service(scope, stream.receive, stream.take))
    try:
        yield stream
    finally:
        stream.left.set()
        await task


def position(cursor: str) -> int:
    """Where in the log a cursor stands."""
    return int(cursor.split(".")[2]) if cursor else 0


async def until(happened: Callable[[], object]) -> None:
    """Wait for a condition; raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while not happened():
            await asyncio.sleep(0.01)
