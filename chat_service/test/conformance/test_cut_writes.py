"""A client that leaves when its request is sent: the write is finished all the same."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from sqlalchemy.event import listen, remove

from chat_service.app import Service
from chat_service.test.builders import Json, Person, Workspace, message
from chat_service.test.conformance.scene import Scene
from chat_service.test.sessions.calls import show

PATIENCE = 10


class Leaving:
    """A client that sends a whole request and is gone."""

    def __init__(self, person: Person, method: str, path: str, body: Json) -> None:
        self.body = orjson.dumps(body)
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [
                (b"host", b"test"),
                (b"authorization", f"Bearer {person.token}".encode()),
                (b"content-type", b"application/json"),
                (b"content-length", str(len(self.body)).encode()),
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "extensions": {},
        }
        self.sent = False
        self.gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        """The body, and when it has left, that the client left."""
        if self.sent:
            await self.gone.wait()
            return {"type": "http.disconnect"}
        self.sent = True
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def send(self, message: dict[str, Any]) -> None:
        """Nobody takes the answer."""
        raise BrokenPipeError

    def leave(self, connection: Any, cursor: Any, sql: str, *rest: Any) -> None:
        """Leave when something is written."""
        if sql.startswith(("INSERT", "UPDATE")):
            self.gone.set()

    async def ask(self, service: Service, leaving: str) -> None:
        """Let the service do what it does; the client leaves at once, or when it writes."""
        engine = service.database.engine.sync_engine
        if leaving == "at once":
            self.gone.set()
        else:
            listen(engine, "before_cursor_execute", self.leave)
        async with asyncio.timeout(PATIENCE):
            await service(self.scope, self.receive, self.send)
        assert self.gone.is_set()
        if leaving != "at once":
            remove(engine, "before_cursor_execute", self.leave)


Request = Callable[[Scene], Leaving]
Done = Callable[[Scene], Awaitable[bool]]


def send(scene: Scene) -> Leaving:
    """A message, through the lane."""
    return Leaving(scene.customer, "POST", f"{scene.path}/messages", message("Gone"))


async def is_sent(scene: Scene) -> bool:
    """Whether the message is there, once."""
    said = [each["content"]["text"] for each in await scene.customer.messages(scene.session_id)]
    return said.count("Gone") == 1


def start(scene: Scene) -> Leaving:
    """A session, in a transaction of its route."""
    body = {"client_session_id": "gone", "initial_message": message("Gone")}
    return Leaving(scene.customer, "POST", "/v1/sessions", body)


async def is_started(scene: Scene) -> bool:
    """Whether the session is there, with its message."""
    sessions = (await scene.customer.get("/v1/sessions")).json()["data"]
    return [each["last_message"]["text"] for each in sessions].count("Gone") == 1


def edit(scene: Scene) -> Leaving:
    """Other words for the first message."""
    body = {"content": {"type": "text", "text": "Gone"}}
    return Leaving(scene.customer, "PATCH", scene.words, body)


def delete(scene: Scene) -> Leaving:
    """The end of the first message."""
    return Leaving(scene.customer, "DELETE", scene.words, {})


async def is_deleted(scene: Scene) -> bool:
    """Whether it is a tombstone."""
    message: Json = (await scene.customer.get(scene.words)).json()["message"]
    return message["content"] is None


def claim(scene: Scene) -> Leaving:
    """A move."""
    return Leaving(scene.bob, "POST", f"{scene.path}/claim", {})


async def is_claimed(scene: Scene) -> bool:
    """Whether the session has its agent."""
    return bool((await show(scene.bob, scene.session_id))["status"] == "open")


WRITES: dict[str, tuple[Request, Done]] = {
    "send": (send, is_sent),
    "start": (start, is_started),
    "edit": (edit, is_sent),
    "delete": (delete, is_deleted),
    "claim": (claim, is_claimed),
}


@pytest.mark.conformance("write_cut_by_its_client_is_finished")
@pytest.mark.parametrize("leaving", ["at once", "in the middle"])
@pytest.mark.parametrize(("request_of", "done"), WRITES.values(), ids=list(WRITES))
async def test_write_cut_by_its_client_is_finished(
    workspace: Workspace, scene: Scene, request_of: Request, done: Done, leaving: str
) -> None:
    assert not await done(scene)
    await request_of(scene).ask(workspace.service, leaving)
    assert await done(scene)


async def test_a_write_repeated_after_it_was_cut_is_one_write(
    workspace: Workspace, scene: Scene
) -> None:
    cut = send(scene)
    await cut.ask(workspace.service, "in the middle")
    again = await scene.customer.post(f"{scene.path}/messages", orjson.loads(cut.body))
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert await is_sent(scene)
