"""Clients of the live protocol, which keep the client rule and notice when it is broken."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from chat_service.test.builders import Json, Person, unique

PATIENCE = 15.0


@dataclass(frozen=True)
class Address:
    """Where a service listens: host and port."""

    place: str

    @asynccontextmanager
    async def socket(
        self,
        person: Person | str | None = None,
        *,
        origin: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> AsyncIterator["Socket"]:
        """A socket, which has said hello as that person or with that token."""
        headers = {**({"Origin": origin} if origin else {}), **(headers or {})}
        opened = connect(
            f"ws://{self.place}/v1/realtime",
            subprotocols=["chat.v1"],  # type: ignore[list-item]
            additional_headers=headers,
            ping_interval=None,
            compression=None,
            max_queue=4,
        )
        async with opened as connection:
            socket = Socket(connection)
            if person is not None:
                await socket.hello(person if isinstance(person, str) else person.token)
            yield socket

    @asynccontextmanager
    async def stream(
        self, person: Person, session_id: str, **given: Any
    ) -> AsyncIterator[httpx2.EventSource]:
        """Server-sent events of a session."""
        headers = {"Authorization": f"Bearer {person.token}", **given.pop("headers", {})}
        url = f"http://{self.place}/v1/sessions/{session_id}/events"
        async with httpx2.AsyncClient() as http:
            async with http.sse(url, headers=headers, params=given) as source:
                yield source


@dataclass
class Socket:
    """One socket; events are kept by stream, each next to the one before."""

    connection: ClientConnection
    events: dict[str, list[Json]] = field(default_factory=dict)
    seqs: dict[str, int] = field(default_factory=dict)
    heard: list[Json] = field(default_factory=list)
    """All other frames."""
    _number: int = 0

    async def hello(self, token: str) -> Json:
        """Say who calls; the welcome."""
        await self.say(op="hello", token=token)
        return await self.until("welcome")

    async def say(self, **frame: Any) -> None:
        """Send a frame."""
        await self.connection.send(json.dumps(frame))

    async def ask(self, op: str, **fields: Any) -> Json:
        """Send a frame with an id; the frame that answers it."""
        self._number += 1
        await self.say(op=op, id=self._number, **fields)
        return await self.until("ack", "subscribed", "error", id=self._number)

    async def follow(self, session_id: str, **fields: Any) -> Json:
        """Follow a session; what answered, after it is live."""
        stream = f"session:{session_id}"
        if "after" in fields:
            self.seqs[stream] = int(fields["after"].split(".")[2])
        answer = await self.ask("subscribe", stream=stream, **fields)
        if answer["op"] == "subscribed":
            self.seqs.setdefault(stream, answer["head_seq"])
            await self.until("live", stream=stream)
        return answer

    async def send(self, session_id: str, text: str = "Hello", **fields: Any) -> Json:
        """Send a message; what answers it."""
        content = {"type": "text", "text": text}
        body = {"client_message_id": unique(), "content": content, **fields}
        return await self.ask("send", session_id=session_id, **body)

    async def until(self, *ops: str, **fields: Any) -> Json:
        """The first frame of these kinds and values, kept already or still to come."""
        for frame in list(self.heard):
            if frame["op"] in ops and all(frame.get(k) == v for k, v in fields.items()):
                self.heard.remove(frame)
                return frame
        async with asyncio.timeout(PATIENCE):
            while True:
                frame = await self.next()
                if frame["op"] in ops and all(frame.get(k) == v for k, v in fields.items()):
                    self.heard.remove(frame)
                    return frame

    async def until_seq(self, session_id: str, seq: int) -> list[Json]:
        """All events of a session so far, when that number has come."""
        stream = f"session:{session_id}"
        async with asyncio.timeout(PATIENCE):
            while self.seqs.get(stream, 0) < seq:
                await self.next()
        return self.events.get(stream, [])

    async def next(self) -> Json:
        """One more frame, whatever it is; events must be the next ones."""
        frame: Json = json.loads(await self.connection.recv())
        stream = frame.get("stream", "")
        if frame["op"] == "events":
            for event in frame["events"]:
                assert event["seq"] == self.seqs[stream] + 1, "a gap, a repeat, or out of order"
                self.seqs[stream] = event["seq"]
                self.events.setdefault(stream, []).append(event)
        elif frame["op"] == "ping":
            await self.say(op="pong", t=frame["t"])
        else:
            if frame["op"] == "snapshot":
                self.seqs[stream] = frame["as_of_seq"]
            self.heard.append(frame)
        return frame

    async def closed(self) -> int:
        """Read to the end; the close code."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    await self.next()
        except ConnectionClosed as end:
            return end.rcvd.code if end.rcvd else 1006
