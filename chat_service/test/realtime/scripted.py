"""A service that only plays its sockets: each does what is written, for clients that are watched."""

import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

from chat_service.test.builders import Json

AFTER_MS: Final = 700
"""Longer than a first try would wait by itself."""
HERE: Final = "/v1/realtime"


def event(seq: int, text: str = "") -> Json:
    """An event with a number."""
    cursor = f"c1.p.{seq}.00000000"
    return {"seq": seq, "cursor": cursor, "type": "message.created", "data": {"text": text}}


@dataclass(frozen=True)
class Part:
    """What one socket tells, and the code it is closed with; None where the client has to end it."""

    events: tuple[Json, ...] = ()
    code: int | None = 1000
    says_goodbye: bool = False
    refusal: Json | None = None
    """A frame after the events."""


@dataclass
class Visit:
    """A client that came by a socket: what it said, and when."""

    token: str
    after: str
    at: float = field(default_factory=time.monotonic)


class Scripted:
    """Plays a part for each socket at a path; one too many is closed as normal, to be counted."""

    def __init__(self, parts: dict[str, list[Part]]) -> None:
        self.visits: defaultdict[str, list[Visit]] = defaultdict(list)
        self._parts = parts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a socket."""
        path = scope["path"].removesuffix(HERE)
        assert scope["type"] == "websocket"
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "chat.v1"})
        hello, subscribe = [json.loads((await receive())["text"]) for _ in range(2)]
        visits = self.visits[path]
        visits.append(Visit(hello["token"], subscribe["after"]))
        parts = self._parts[path]
        await _play(parts[len(visits) - 1] if len(visits) <= len(parts) else Part(), receive, send)


async def _play(part: Part, receive: Any, send: Any) -> None:
    for each in part.events:
        await _say(send, op="events", events=[each])
    if part.refusal is not None:
        await _say(send, **part.refusal)
    if part.code is None:
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    if part.says_goodbye:
        await _say(send, op="goodbye", code=part.code, reason="", after_ms=AFTER_MS)
    await send({"type": "websocket.close", "code": part.code})


async def _say(send: Any, **frame: Any) -> None:
    await send({"type": "websocket.send", "text": json.dumps(frame)})
