"""What somebody has open when his token ends: many requests at once, sockets, streams, long-polls."""

import asyncio
from dataclasses import dataclass, field

from websockets.exceptions import ConnectionClosed

from chat_service.test.builders import Json, Person, message
from chat_service.test.realtime.list_client import streamed
from chat_service.test.realtime.pairs import Node
from chat_service.test.realtime.talkers import PATIENCE, Socket
from chat_service.test.sessions.calls import show

Call = tuple[str, str, Json | None]


def calls_of(session_id: str) -> list[Call]:
    """What anybody may ask about a session of his, and do in it."""
    path = f"/v1/sessions/{session_id}"
    return [
        ("GET", "/v1/sessions", None),
        ("GET", path, None),
        ("GET", f"{path}/messages", None),
        ("GET", f"{path}/events", None),
        ("POST", f"{path}/messages", message()),
        ("POST", f"{path}/typing", {"is_typing": True}),
    ]


@dataclass
class Crowd:
    """Requests with one token, one after the other in many places at once.

    Each place goes on until a request was answered that began when it was `over`.
    """

    pause: float = 0
    """So many seconds lie between two requests of a place."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    early: list[int] = field(default_factory=list)
    """The statuses of those that began before, and may be answered either way."""
    late: list[int] = field(default_factory=list)

    async def ask(self, person: Person, call: Call) -> None:
        """Be one of the places."""
        method, path, body = call
        is_late = False
        while not is_late:
            is_late = self.over.is_set()
            answer = await person.call(method, path, json=body)
            (self.late if is_late else self.early).append(answer.status_code)
            await asyncio.sleep(self.pause)

    async def talk(self, socket: Socket, session_id: str) -> int:
        """Be one of them over a socket, until that is closed; the code."""
        try:
            while True:
                is_late = self.over.is_set()
                answer = await socket.send(session_id)
                status = answer["problem"]["status"] if answer["op"] == "error" else 201
                (self.late if is_late else self.early).append(status)
                await asyncio.sleep(self.pause)
        except ConnectionClosed as end:
            return end.rcvd.code if end.rcvd else 1006

    async def has_begun(self, places: int) -> None:
        """Wait until about everybody has been answered."""
        async with asyncio.timeout(PATIENCE):
            while len(self.early) < places:
                await asyncio.sleep(0.001)


@dataclass
class Open:
    """What somebody has open at one service, and what he is told there to its end."""

    node: Node
    person: Person
    session_id: str
    ready: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    told: list[str] = field(default_factory=list)
    code: int = 0
    """By which his socket was closed."""
    status: int = 0
    """What his long-poll came to."""

    async def until_the_end(self, ticket: str | None = None) -> None:
        """Keep all of it open as long as the service does; the socket is opened by a ticket, if any."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(ticket))
            group.create_task(self._stream())
            group.create_task(self._poll())

    async def is_open(self) -> None:
        """Wait until it is."""
        for _ in range(3):
            await asyncio.wait_for(self.ready.acquire(), PATIENCE)

    async def _listen(self, ticket: str | None) -> None:
        async with self.node.address.socket(None if ticket else self.person) as socket:
            if ticket:
                await socket.say(op="hello", ticket=ticket)
                await socket.until("welcome")
            await socket.follow(self.session_id)
            self.ready.release()
            self.code = await socket.closed()
            self.told.append(str([socket.events, socket.heard]))

    async def _stream(self) -> None:
        path = f"/v1/sessions/{self.session_id}/events"
        head = (await show(self.person, self.session_id))["last_seq"]
        async with streamed(self.node.service, self.person, path, after_seq=head) as stream:
            await stream.next()
            self.ready.release()
            self.told.append(await stream.rest())

    async def _poll(self) -> None:
        """Ask again after each answer, as long as there are answers."""
        path = f"/v1/sessions/{self.session_id}/events"
        head = (await show(self.person, self.session_id))["last_seq"]
        self.ready.release()
        while self.status in (0, 200):
            asked = self.person.get(path, params={"after_seq": head, "wait": 20})
            answer = await asyncio.wait_for(asked, PATIENCE)
            self.status = answer.status_code
            self.told.append(answer.text)
            if answer.status_code == 200 and answer.json()["data"]:
                head = answer.json()["data"][-1]["seq"]
