"""Every error is a problem document with a stable code, whoever found it: we or the framework."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx2
import pytest

from chat_service.app import Service, create_app
from chat_service.config import Config
from chat_service.test.addresses import OFF, Stage, addresses, build_stage
from chat_service.test.builders import Json, Workspace, build_workspace, unique
from chat_service.test.conftest import config_of
from chat_service.test.events.apart import client_of as clients
from chat_service.test.postgres import FreshDatabase

MEMBERS = {
    "type",
    "title",
    "status",
    "detail",
    "instance",
    "code",
    "retryable",
    "request_id",
    "errors",
}
DATABASE_FREE = {
    "GET /": 404,
    "GET /.well-known/security.txt": 404,
    "GET /asyncapi.json": 200,
    "GET /demo": 404,
    "GET /demo/credentials.json": 404,
    "GET /docs": 200,
    "GET /health": 200,
    "GET /health/live": 200,
    "GET /metrics": 401,
    "GET /openapi.json": 200,
    "GET /problems": 200,
    "GET /problems/{code}": 200,
    "GET /static/{name}": 200,
    "GET /v1/realtime": 426,
    **dict.fromkeys(OFF, 404),
}


@pytest.fixture
async def stage(workspace: Workspace) -> Stage:
    return await build_stage(workspace)


@asynccontextmanager
async def client_of(config: Config) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a service that was never started."""
    service = create_app(config)
    transport = httpx2.ASGITransport(app=service, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
    await service.database.engine.dispose()


def the_problem(response: httpx2.Response, status: int, code: str) -> Json:
    """The document of an answer, after all that every problem promises."""
    problem: Json = response.json()
    assert (response.status_code, problem["code"]) == (status, code), response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert set(problem) >= MEMBERS
    assert problem["type"] == f"/problems/{code}"
    assert problem["request_id"] == response.headers["Request-Id"]
    assert problem["status"] == status
    return problem


@pytest.mark.conformance(72)
@pytest.mark.parametrize(
    ("method", "path", "rest", "status", "code"),
    [
        ("GET", "/nowhere", {}, 404, "not_found"),
        ("GET", "/v1/sessions/7", {}, 404, "not_found"),
        ("GET", "/v1//sessions", {}, 404, "not_found"),
        ("GET", "/health/", {}, 404, "not_found"),
        ("PUT", "/v1/sessions", {}, 405, "method_not_allowed"),
        ("BREW", "/v1/sessions", {}, 405, "method_not_allowed"),
        ("GET", "/health", {"headers": {"Accept": "text/html"}}, 406, "not_acceptable"),
        ("GET", "/docs", {"headers": {"Accept": "application/json"}}, 406, "not_acceptable"),
        ("GET", "/v1/sessions", {}, 401, "unauthenticated"),
        ("GET", "/health?verbose=1", {}, 400, "unknown_parameter"),
        ("POST", "/v1/auth/sign-in", {"content": b"{"}, 400, "malformed_body"),
        ("POST", "/v1/auth/sign-in", {"content": b"\xff"}, 400, "malformed_body"),
        ("POST", "/v1/auth/sign-in", {"content": b"{}"}, 422, "validation_failed"),
        ("POST", "/v1/auth/sign-in", {"content": b" " * 100_001}, 413, "body_too_large"),
        ("POST", "/v1/auth/sign-in", {"data": {"a": "b"}}, 415, "unsupported_media_type"),
        ("POST", "/v1/auth/token", {"json": {"refresh_token": "x"}}, 400, "invalid_grant"),
    ],
)
async def test_every_error_is_problem_json_with_code(
    client: httpx2.AsyncClient, method: str, path: str, rest: Any, status: int, code: str
) -> None:
    if "content" in rest:
        rest = {**rest, "headers": {"Content-Type": "application/json"}}
    the_problem(await client.request(method, path, **rest), status, code)


@pytest.mark.asvs("4.1.4")
async def test_405_names_the_methods_there_are(client: httpx2.AsyncClient) -> None:
    response = await client.put("/v1/sessions")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST", "OPTIONS"}


async def test_401_says_how_to_sign_in(client: httpx2.AsyncClient) -> None:
    response = await client.get("/v1/sessions")
    assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_an_error_of_a_head_request_has_no_body(client: httpx2.AsyncClient) -> None:
    response = await client.head("/v1/sessions")
    assert (response.status_code, response.content) == (401, b"")
    assert response.headers["Content-Type"] == "application/problem+json"


async def test_the_instance_is_the_path_as_a_uri(client: httpx2.AsyncClient) -> None:
    response = await client.get("/nowhere/ä b%22?token=secret")
    assert response.json()["instance"] == "/nowhere/%C3%A4%20b%22"


@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_an_ids_owner_and_its_absence_are_told_apart_by_nothing(stage: Stage) -> None:
    stranger = await stage.workspace.customer()
    foreign = await stranger.get(f"/v1/sessions/{stage.session_id}")
    missing = await stranger.get("/v1/sessions/0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10")
    told = [the_problem(response, 404, "not_found") for response in (foreign, missing)]
    for problem in told:
        del problem["request_id"], problem["instance"]
    assert told[0] == told[1]


async def slowly_posted(folder: Path, *, announced: int, sent: bytes) -> Json:
    """The problem of a request whose body ends before its announced length, and then only waits."""
    config = config_of(f"sqlite:///{folder / 'chat.db'}", folder)
    server = attrs.evolve(config.server, body_seconds=0.1)
    service = create_app(attrs.evolve(config, server=server))
    length = (b"content-length", str(announced).encode())
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/auth/sign-in",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), length],
    }
    parts = iter([{"type": "http.request", "body": sent, "more_body": True}])
    answer: list[Any] = []

    async def receive() -> Any:
        return next(parts, None) or await asyncio.Event().wait()

    async def send(message: Any) -> None:
        answer.append(message)

    await service(scope, receive, send)
    await service.database.engine.dispose()
    body = b"".join(message.get("body", b"") for message in answer)
    problem: Json = json.loads(body)
    assert problem["status"] == answer[0]["status"]
    return problem


@pytest.mark.asvs("15.2.2")
@pytest.mark.api_top10("API4")
async def test_a_body_that_does_not_arrive_is_408(tmp_path: Path) -> None:
    problem = await slowly_posted(tmp_path, announced=10, sent=b"{")
    assert (problem["status"], problem["code"]) == (408, "body_timeout")
    assert problem["retryable"]


async def test_a_body_that_is_announced_too_large_is_not_waited_for(tmp_path: Path) -> None:
    problem = await slowly_posted(tmp_path, announced=100_001, sent=b"{")
    assert (problem["status"], problem["code"]) == (413, "body_too_large")


@pytest.fixture(scope="module")
async def cut_off(
    backend: str, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """A stage that is seen by a service whose database cannot be reached."""
    folder = tmp_path_factory.mktemp("nothing")
    unreachable = {
        "sqlite": f"sqlite:///{folder}",  # a folder
        "postgres": "postgresql://postgres@127.0.0.1:1/chat",
    }
    config = attrs.evolve(config_of(unreachable[backend], folder), auth=service.config.auth)
    async with clients(service) as client:
        stage = await build_stage(await build_workspace(service, client))
    async with client_of(config) as client:
        stage.workspace.client = client
        yield stage


@pytest.mark.parametrize("address", addresses())
@pytest.mark.asvs("16.5.2")
async def test_without_a_database_every_address_that_needs_it_is_503(
    cut_off: Stage, address: str
) -> None:
    response = await cut_off.call(address)
    if address in DATABASE_FREE:
        assert response.status_code == DATABASE_FREE[address]
    else:
        assert "Traceback" not in response.text and ".py" not in response.text
        assert the_problem(response, 503, "database_unavailable")["retryable"]
        assert response.headers["Retry-After"] == "1"


@pytest.fixture
def no_tables(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Config:
    """A configuration whose database is empty, which no code expects while it serves."""
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    if backend == "postgres":
        fresh: FreshDatabase = request.getfixturevalue("fresh_database")
        url = fresh("empty")
    return config_of(url, tmp_path)


@pytest.mark.asvs("16.5.1", "16.5.4")
async def test_a_fault_of_the_service_is_500_and_tells_nothing(
    no_tables: Config, workspace: Workspace
) -> None:
    async with client_of(no_tables) as client:
        path = f"/v1/inboxes/{workspace.inbox_key}/customers"
        response = await client.post(path, json={"profile": {"name": unique()}})
    problem = the_problem(response, 500, "internal_error")
    assert (problem["detail"], problem["errors"]) == ("Internal error", [])


async def test_a_closed_session_says_whether_it_may_be_reopened(stage: Stage) -> None:
    await stage.agent.post(f"/v1/sessions/{stage.session_id}/close")
    response = await stage.key.send(stage.session_id)
    assert the_problem(response, 409, "session_closed")["reopen"] is True


async def test_every_answer_has_a_request_id_of_its_own(client: httpx2.AsyncClient) -> None:
    paths = ["/health", "/openapi.json", "/docs", "/static/pages.css", "/nowhere", "/v1/sessions"]
    answers = [await client.get(path, headers={"Request-Id": "mine"}) for path in paths]
    assert len({answer.headers["Request-Id"] for answer in answers} - {"mine"}) == len(paths)
    assert {answer.headers["X-Content-Type-Options"] for answer in answers} == {"nosniff"}


@pytest.mark.asvs("13.4.4")
async def test_nothing_is_sent_back_as_it_came(client: httpx2.AsyncClient) -> None:
    response = await client.request("TRACE", "/v1/sessions", headers={"Authorization": "Bearer x"})
    assert the_problem(response, 405, "method_not_allowed")["instance"] == "/v1/sessions"
    assert "Bearer x" not in response.text
