"""The three ways to be told of a session: each is one connection, from a cursor on, for ever."""

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import httpx2

from chat_service.test.builders import Json, Person
from chat_service.test.faults.records import Entry
from chat_service.test.realtime.talkers import Address, Socket

WAIT_SECONDS: Final = 10
"""How long a long-poll waits."""


class Refused(Exception):
    """The service answered with this problem."""

    def __init__(self, problem: Json) -> None:
        super().__init__(problem)
        self.problem = problem


class WasReset(Exception):
    """The log is not what the cursor was made for, says the service; its reason."""


class TooFarBehind(Exception):
    """The service would rather not tell so much over this way."""


@dataclass(frozen=True)
class Way:
    """A place, host and port, where the service can be reached, and a client that calls there."""

    place: str
    client: httpx2.AsyncClient


class Ear:
    """What one connection has brought so far, to one who had been told up to `after`."""

    def __init__(self, after: int, cursor: str | None) -> None:
        self.after = after
        self.cursor = cursor
        """Where to go on; None is where the session stands."""
        self.resumed = True
        self.opened = False
        self.told: list[Entry] = []
        self.heard: list[str] = []

    @property
    def number(self) -> int:
        """What it has heard last."""
        return self.after + len(self.told)

    def begin_anew(self, number: int, cursor: str) -> None:
        """It was shown the whole state of that number."""
        self.after, self.cursor, self.resumed = number, cursor, False

    def hear(self, raw: str, events: Iterable[Json] = ()) -> None:
        """Something came, with these events in it."""
        self.opened = True
        self.heard.append(raw)
        for event in events:
            self.told.append((event["seq"], UUID(event["id"])))
            self.cursor = event["cursor"]


Talk = Callable[[Way, Person, str, Ear], Awaitable[None]]


async def over_websocket(way: Way, person: Person, session_id: str, ear: Ear) -> None:
    """By a socket, which is dropped without a goodbye."""
    async with Address(way.place).socket(person) as socket:
        try:
            await _follow(socket, f"session:{session_id}", ear)
        finally:
            socket.connection.transport.abort()


async def _follow(socket: Socket, stream: str, ear: Ear) -> None:
    if ear.cursor is None:
        begin: Json = {"snapshot": {"messages": 10}}
    else:
        begin, socket.seqs[stream] = {"after": ear.cursor}, ear.after
    await socket.say(op="subscribe", id=1, stream=stream, on_reset="error", **begin)
    while True:
        frame = await socket.next()
        ear.hear(json.dumps(frame), frame["events"] if frame["op"] == "events" else ())
        if frame["op"] == "snapshot":
            ear.begin_anew(frame["as_of_seq"], frame["cursor"])
        elif frame["op"] == "error":
            raise Refused(frame["problem"])
        elif frame["op"] == "unsubscribed":
            raise TooFarBehind if frame["code"] == "too_far_behind" else WasReset(frame["code"])


async def over_stream(way: Way, person: Person, session_id: str, ear: Ear) -> None:
    """By server-sent events."""
    caller = replace(person, client=way.client)
    await _begin_by_request(caller, session_id, ear)
    headers = {"Authorization": f"Bearer {person.token}", "Last-Event-ID": ear.cursor or ""}
    async with way.client.sse(f"/v1/sessions/{session_id}/events", headers=headers) as source:
        if not source.response.is_success:
            await source.response.aread()
            raise _refusal(source.response)
        async for told in source:
            if told.event == "reset":
                raise WasReset(json.loads(told.data)["reason"])
            what = json.loads(told.data)
            ear.hear(f"{told.id} {told.data}", [what] if "seq" in what else ())


async def over_polls(way: Way, person: Person, session_id: str, ear: Ear) -> None:
    """By one request after the other, each of which waits for something."""
    caller = replace(person, client=way.client)
    await _begin_by_request(caller, session_id, ear)
    path = f"/v1/sessions/{session_id}/events"
    while True:
        page = await caller.get(path, params={"after": ear.cursor, "wait": WAIT_SECONDS})
        if not page.is_success:
            raise _refusal(page)
        heads = "\n".join(f"{name}: {value}" for name, value in page.headers.items())
        ear.hear(f"{heads}\n\n{page.text}", page.json()["data"])


TALKS: Final[tuple[Talk, ...]] = (over_websocket, over_stream, over_polls)


async def _begin_by_request(caller: Person, session_id: str, ear: Ear) -> None:
    """Without a cursor: read the session, and go on where that stands."""
    if ear.cursor is not None:
        return
    page = await caller.get(f"/v1/sessions/{session_id}/messages", params={"limit": 10})
    if not page.is_success:
        raise _refusal(page)
    as_of = page.json()["as_of"]
    ear.hear(page.text)
    ear.begin_anew(as_of["seq"], as_of["cursor"])


def _refusal(response: httpx2.Response) -> Exception:
    if response.headers.get("content-type") != "application/problem+json":
        # What stands before the service has answered in its place.
        return Refused({"code": f"status {response.status_code}", "retryable": True})
    problem = response.json()
    if response.status_code in (409, 410):
        return WasReset(problem["code"])
    return Refused(problem)
