"""No token, name, address or text gets into the logs of a real server, whatever goes wrong.

Seen elsewhere: customers' tokens in query strings, and so in every log on the way.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from sqlalchemy import text
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from chat_service.app import create_app
from chat_service.config import Database
from chat_service.model import migrations, open_engine
from chat_service.test.addresses import Stage, build_stage
from chat_service.test.builders import PASSWORD, Json, build_workspace, message, unique
from chat_service.test.conftest import config_of
from chat_service.test.faults.victim import Victim
from chat_service.test.postgres import FreshDatabase
from chat_service.test.realtime.list_client import until
from chat_service.test.realtime.talkers import Address

BREAKS: Final = {
    "sqlite": "CREATE TRIGGER broken_{table} BEFORE INSERT ON {table}"
    " BEGIN SELECT RAISE(ABORT, 'broken'); END",
    "postgres": "ALTER TABLE {table} ADD CONSTRAINT broken CHECK (workspace_id IS NULL) NOT VALID",
}


@dataclass
class Scene:
    """A real server that writes all it ever logs, and what must not be in there."""

    server: Victim
    stage: Stage
    url: str
    canaries: list[str] = field(default_factory=list)
    answers: list[httpx2.Response] = field(default_factory=list)

    def canary(self, kind: str) -> str:
        """A word that nothing else contains."""
        self.canaries.append(f"{kind}-{unique()}")
        return self.canaries[-1]

    def keep(self, response: httpx2.Response) -> httpx2.Response:
        """Remember an answer, whose request the log should tell of."""
        self.answers.append(response)
        return response

    def log(self) -> str:
        """All that the server wrote."""
        return self.server.log.read_text()


@pytest.fixture
def url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A database of the test's own, which it breaks."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path / 'chat.db'}"
    fresh: FreshDatabase = request.getfixturevalue("fresh_database")
    return fresh("logs")


@pytest.fixture
async def scene(url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """The people are made before the server starts, which would not share an SQLite file."""
    service = create_app(config_of(url, tmp_path))
    await migrations.upgrade(service.database.engine)
    transport = httpx2.ASGITransport(app=service)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        stage = await build_stage(await build_workspace(service, client))
    await service.database.engine.dispose()
    server = Victim(url, tmp_path, {"LOG_LEVEL": "debug", "DATABASE_PROFILE": "fast"})
    await server.start()
    async with httpx2.AsyncClient(base_url=server.address) as client:
        for person in (stage.workspace, stage.customer, stage.agent, stage.key):
            person.client = client
        yield Scene(server, stage, url)
    server.kill()


async def talk(scene: Scene) -> None:
    """A conversation whose every word is a canary."""
    stage, keep, canary = scene.stage, scene.keep, scene.canary
    name, email = canary("name"), f"{canary('mail')}@example.org"
    path = f"/v1/inboxes/{stage.workspace.inbox_key}/customers"
    client = stage.workspace.client
    made = keep(await client.post(path, json={"profile": {"name": name, "email": email}}))
    token = made.json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "User-Agent": canary("agent")}
    first = message(canary("text"), client_message_id=canary("id"))
    body = {"client_session_id": canary("session"), "initial_message": first}
    keep(await client.post("/v1/sessions", json=body | {"subject": canary("subject")}))
    keep(await client.post("/v1/sessions", json=body, headers=headers))
    changes = {"tags": [canary("tag")], "custom_attributes": {canary("field"): canary("value")}}
    keep(await stage.key.call("PATCH", f"/v1/sessions/{stage.session_id}", json=changes))
    keep(await stage.customer.send(stage.session_id, canary("text")))
    keep(await stage.agent.send(stage.session_id, canary("note"), visibility="internal"))
    keep(await client.post("/v1/auth/token", json={"refresh_token": made.json()["refresh_token"]}))
    scene.canaries += [token, made.json()["refresh_token"]]
    right = {"email": stage.agent.details["agent"]["email"], "password": PASSWORD, "cookie": True}
    own = {"Origin": scene.server.address}
    given = keep(await client.post("/v1/auth/sign-in", json=right, headers=own))
    cookie = given.headers["Set-Cookie"].partition(";")[0]
    by_cookie = {"Cookie": cookie, **own}
    ticket = keep(await client.post("/v1/realtime/tickets", json={}, headers=by_cookie))
    scene.canaries += [cookie.partition("=")[2], ticket.json()["ticket"]]


async def stumble(scene: Scene) -> None:
    """All that may go wrong on the outside."""
    stage, keep, canary = scene.stage, scene.keep, scene.canary
    client, session = stage.workspace.client, f"/v1/sessions/{stage.session_id}"
    bearer = {"Authorization": f"Bearer {canary('token')}"}
    keep(await client.get(session, headers=bearer))
    keep(await client.get(f"{session}?token={canary('query')}"))
    keep(await client.get(f"/{canary('path')}"))
    keep(await client.get(f"/v1/sessions/{canary('path')}", headers=bearer))
    keep(await client.post("/v1/sessions", content=f'{{"{canary("broken")}'.encode()))
    keep(await stage.key.post("/v1/sessions", {canary("unknown"): canary("unknown")}))
    keep(await stage.key.get("/v1/sessions", params={"tag": canary("tag"), "view": "own"}))
    keep(await stage.customer.send(stage.session_id, "\0" + canary("nul")))
    keep(await stage.customer.send(stage.session_id, reply_to_id=canary("reply")))
    wrong = {"email": f"{canary('mail')}@example.org", "password": canary("password")}
    keep(await client.post("/v1/auth/sign-in", json=wrong))
    right = {"email": stage.agent.details["agent"]["email"], "password": PASSWORD}
    keep(await client.post("/v1/auth/sign-in", json=right))
    origin = {"Origin": f"https://{canary('origin')}.example.org"}
    path = f"/v1/inboxes/{stage.workspace.inbox_key}/customers"
    keep(await client.post(path, json={}, headers=origin))


async def say_nonsense(scene: Scene) -> None:
    """What is no HTTP at all, so that the server's own library complains."""
    reader, writer = await asyncio.open_connection("127.0.0.1", scene.server.port)
    writer.write(f"\xff {scene.canary('head')}\r\n\r\n".encode("latin-1"))
    assert b" 400 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def knock(scene: Scene) -> list[Json]:
    """Upgrades that are refused; the problems they are told."""
    place, canary = f"127.0.0.1:{scene.server.port}", scene.canary
    refused: list[tuple[str, Any, Any]] = [
        (f"/{canary('path')}?token={canary('query')}", "chat.v1", None),
        ("/v1/realtime", canary("protocol"), None),
        ("/v1/realtime", "chat.v1", f"https://{canary('origin')}.example.org"),
    ]
    problems = []
    for path, protocol, origin in refused:
        with pytest.raises(InvalidStatus) as told:
            async with connect(f"ws://{place}{path}", subprotocols=[protocol], origin=origin):
                pass
        problems.append(json.loads(told.value.response.body or b""))
    return problems


async def converse(scene: Scene) -> tuple[Json, Json]:
    """A socket on which all goes wrong that may; its welcome, and what answered its last send."""
    stage, canary = scene.stage, scene.canary
    async with Address(f"127.0.0.1:{scene.server.port}").socket() as socket:
        welcome = await socket.hello(stage.customer.token)
        await socket.say(op="read", session_id=canary("session"), read_seq=canary("seq"))
        await socket.say(op="subscribe", id=7, stream=canary("stream"))
        answer = await socket.send(stage.session_id, canary("text"))
        await socket.connection.close(4321, canary("reason"))
    async with Address(f"127.0.0.1:{scene.server.port}").socket() as socket:
        await socket.say(op="hello", token=canary("token"), device_id=canary("device"))
        assert await socket.closed() == 4501
    return welcome, answer


async def break_down(scene: Scene, backend: str) -> list[int]:
    """Make the database refuse rows, which no code expects; the statuses of what meets it."""
    engine = open_engine(Database(url=scene.url))
    async with engine.execution_options(write=True).connect() as db:
        for table in ("customers", "chat_messages"):
            await db.execute(text(BREAKS[backend].format(table=table)))
        await db.commit()
    await engine.dispose()
    stage, keep, canary = scene.stage, scene.keep, scene.canary
    path = f"/v1/inboxes/{stage.workspace.inbox_key}/customers"
    profile = {"name": canary("name"), "email": f"{canary('mail')}@example.org"}
    made = keep(await stage.workspace.client.post(path, json={"profile": profile}))
    sent = keep(await stage.customer.send(stage.session_id, canary("text")))
    return [made.status_code, sent.status_code]


def tokens_of(stage: Stage) -> Iterator[str]:
    """What opens something on the stage."""
    for person in (stage.customer, stage.agent, stage.key):
        yield person.token
        yield person.token.rpartition("_")[2]
    yield stage.customer.details["refresh_token"]


@pytest.mark.asvs("16.2.5")
async def test_nothing_that_somebody_said_or_holds_is_logged(scene: Scene, backend: str) -> None:
    await talk(scene)
    await stumble(scene)
    await say_nonsense(scene)
    await knock(scene)
    await converse(scene)
    assert await break_down(scene, backend) == [500, 500]
    await converse(scene)
    log = scene.log()
    for secret in (*scene.canaries, *tokens_of(scene.stage), PASSWORD, "@example.org"):
        assert secret not in log
    assert "Traceback" not in log


@pytest.mark.asvs("16.2.1", "16.2.4", "16.3.2", "16.3.4")
async def test_the_log_tells_of_every_request_by_its_id(scene: Scene, backend: str) -> None:
    await stumble(scene)
    await say_nonsense(scene)
    await break_down(scene, backend)
    announced, *logged = scene.log().splitlines()
    assert announced.startswith("chat-service serves on ")
    lines = [json.loads(line) for line in logged]
    assert "Invalid HTTP request received." in {line["event"] for line in lines}
    requests = [line for line in lines if line["event"] == "request"]
    told = {line["request_id"]: line["status"] for line in requests}
    for answer in scene.answers:
        assert told[answer.headers["Request-Id"]] == answer.status_code
    failed = [line["error"] for line in lines if line["event"] == "request failed"]
    assert failed == ["IntegrityError"] * 2


@pytest.mark.asvs("16.2.1", "16.3.2", "16.3.4")
async def test_the_log_tells_of_every_socket_by_its_id(scene: Scene, backend: str) -> None:
    problems = await knock(scene)
    await break_down(scene, backend)
    welcome, answer = await converse(scene)
    assert answer["problem"]["code"] == "internal_error"
    assert answer["problem"]["request_id"] == welcome["connection_id"]
    await until(lambda: scene.log().count('"event":"socket"') == 2)
    lines = [json.loads(line) for line in scene.log().splitlines()[1:]]
    assert {line.get("source") for line in lines} == {None}
    refused = {each["request_id"]: each for each in lines if each["event"] == "socket_refused"}
    assert [problem["code"] for problem in problems] == [
        "not_found",
        "upgrade_required",
        "origin_not_allowed",
    ]
    for problem in problems:
        told = refused.pop(problem["request_id"])
        assert (told["status"], told["code"]) == (problem["status"], problem["code"])
    assert not refused
    (failed,) = [line for line in lines if line["event"] == "frame_failed"]
    ended, stranger = [line for line in lines if line["event"] == "socket"]
    for line in (failed, ended):
        assert line["request_id"] == welcome["connection_id"]
        assert line["workspace"] == str(scene.stage.workspace.id)
    assert (failed["op"], failed["error"]) == ("send", "IntegrityError")
    assert (ended["code"], ended["kind"], ended["level"]) == (4321, "customer", "info")
    assert 0 <= ended["seconds"] < 60
    assert (stranger["code"], stranger["kind"]) == (4501, None)
    assert stranger["request_id"] not in (welcome["connection_id"], None)
