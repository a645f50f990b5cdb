"""`/metrics`: who may read it, what stands there, and what must never stand there."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import attrs
import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from chat_service.app import Service, create_app
from chat_service.config import Config, Database, Server
from chat_service.metrics import METHODS
from chat_service.model import open_engine
from chat_service.test.addresses import Stage, build_stage
from chat_service.test.builders import PASSWORD, Workspace, message, unique, writing
from chat_service.test.conftest import METRICS_TOKEN, config_of
from chat_service.test.figures import BEARER, Figures, figures_of, grown, read, series
from chat_service.test.postgres import FreshDatabase

LABELS = {
    "rule",
    "method",
    "status",
    "le",
    "kind",
    "reason",
    "code",
    "backend",
    "profile",
    "policy",
}
HELD_SECONDS = 0.3


@asynccontextmanager
async def client_of(config: Config) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a service that was never started."""
    service = create_app(config)
    transport = httpx2.ASGITransport(app=service)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
    await service.database.engine.dispose()


@pytest.fixture
async def stage(workspace: Workspace) -> Stage:
    return await build_stage(workspace)


async def answered(client: httpx2.AsyncClient) -> Figures:
    """The figures as soon as the database has answered in time for them."""
    while "chat_oldest_snapshot_seconds" not in (figures := await read(client)):
        await asyncio.sleep(0.05)
    return figures


async def test_is_text_of_the_format_prometheus_reads(client: httpx2.AsyncClient) -> None:
    for accept in (
        "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        "text/plain;version=0.0.4",
        "application/openmetrics-text;version=1.0.0",
    ):
        response = await client.get("/metrics", headers=BEARER | {"Accept": accept})
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert response.text.startswith("# HELP chat_") and response.text.endswith("\n")
    assert "_created" not in response.text


@pytest.mark.asvs("13.4.5")
@pytest.mark.api_top10("API8")
async def test_is_for_who_has_the_token_alone(stage: Stage, client: httpx2.AsyncClient) -> None:
    wrong = [METRICS_TOKEN[:-1], METRICS_TOKEN + "0", METRICS_TOKEN.upper(), "\u00e9" * 32]
    for token in [*wrong, stage.agent.token, stage.key.token, stage.customer.token]:
        headers = {b"Authorization": f"Bearer {token}".encode("latin-1")}
        response = await client.get("/metrics", headers=headers)
        assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")
        assert response.headers["WWW-Authenticate"] == "Bearer"
    assert (await client.get("/metrics")).status_code == 401
    assert (await client.get(f"/metrics?token={METRICS_TOKEN}")).status_code == 400


@pytest.mark.parametrize("environment", ["development", "test", "production"])
@pytest.mark.asvs("13.4.5")
@pytest.mark.api_top10("API8")
async def test_without_a_token_there_is_no_such_address(
    tmp_path: Path, environment: Literal["development", "test", "production"]
) -> None:
    config = config_of(f"sqlite:///{tmp_path / 'chat.db'}", tmp_path)
    closed = attrs.evolve(config, server=Server(), environment=environment)
    async with client_of(closed) as client:
        for headers in ({}, BEARER, {"Authorization": "Bearer "}):
            response = await client.get("/metrics", headers=headers)
            assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_counts_requests_by_rule_method_and_status(
    stage: Stage, client: httpx2.AsyncClient
) -> None:
    before = await read(client)
    for _ in range(3):
        await stage.customer.get(f"/v1/sessions/{stage.session_id}")
    await client.get(f"/v1/sessions/{stage.session_id}")
    growth = grown(before, await read(client))
    where = {"rule": "/v1/sessions/<uuid:session_id>", "method": "GET"}
    assert growth[series("chat_requests_total", **where, status=200)] == 3
    assert growth[series("chat_requests_total", **where, status=401)] == 1
    assert growth[series("chat_request_seconds_count", **where)] == 4
    assert growth[series("chat_request_seconds_bucket", **where, le="+Inf")] == 4
    assert growth[series("chat_request_seconds_sum", **where)] > 0


async def test_counts_messages_once_and_their_repeats_apart(
    stage: Stage, client: httpx2.AsyncClient
) -> None:
    path = f"/v1/sessions/{stage.session_id}/messages"
    sent, start = message(), {"client_session_id": unique(), "initial_message": message()}
    before = await read(client)
    for body in (sent, message(), sent):
        assert (await stage.customer.post(path, body)).status_code == 201
    for status in (201, 200):
        assert (await stage.customer.post("/v1/sessions", start)).status_code == status
    nowhere = stage.session_id[::-1]
    assert (await stage.customer.send(nowhere)).status_code == 404
    growth = grown(before, await read(client))
    assert growth[series("chat_messages_acknowledged_total", kind="new")] == 3
    assert growth[series("chat_messages_acknowledged_total", kind="repeated")] == 2
    assert growth["chat_commit_seconds_count"] == 3, "a repeat makes no log longer"


async def test_tells_how_many_messages_shared_a_batch(
    stage: Stage, client: httpx2.AsyncClient
) -> None:
    before = await read(client)
    await asyncio.gather(*(stage.customer.send(stage.session_id) for _ in range(8)))
    growth = grown(before, await read(client))
    assert growth["chat_batch_drafts_sum"] == 8
    assert growth["chat_batch_drafts_count"] == growth['chat_batch_drafts_bucket{le="8.0"}']


async def test_counts_tries_at_signing_in_that_were_refused(
    stage: Stage, client: httpx2.AsyncClient
) -> None:
    email = stage.agent.details["agent"]["email"]
    wrong = {"email": email, "password": "wrong", "workspace": stage.workspace.slug}
    before = await read(client)
    statuses = [(await client.post("/v1/auth/sign-in", json=wrong)).status_code for _ in range(7)]
    right = wrong | {"password": PASSWORD}
    statuses.append((await client.post("/v1/auth/sign-in", json=right)).status_code)
    growth = grown(before, await read(client))
    assert statuses == [400] * 5 + [429] * 3
    assert growth[series("chat_sign_ins_refused_total", reason="wrong")] == 5
    assert growth[series("chat_sign_ins_refused_total", reason="too_many")] == 3


async def test_shows_the_connections_in_use_and_the_database(
    service: Service, client: httpx2.AsyncClient
) -> None:
    async with writing(service) as db:
        await db.execute(text("SELECT 1"))
        figures = await read(client)
    assert 1 <= figures["chat_database_connections_in_use"] <= 10
    assert figures["chat_database_connections_allowed"] == 10
    backend = service.database.engine.dialect.name
    assert figures[series("chat_database_info", backend=backend, profile="fast")] == 1
    assert figures["chat_process_start_time_seconds"] > 1e9


async def test_labels_are_words_of_the_service_and_name_nobody(
    stage: Stage, service: Service, client: httpx2.AsyncClient
) -> None:
    canary = unique()
    await stage.customer.send(stage.session_id, canary, client_message_id=canary)
    for method in ("GET", canary.upper(), "BREW"):
        for path in (f"/{canary}", f"/v1/sessions/{canary}", f"/v1/sessions/{stage.session_id}"):
            await client.request(method, f"{path}?{canary}={canary}", headers={canary: canary})
    response = await client.get("/metrics", headers=BEARER)
    rules = {rule.rule for rule in service.quart.url_map.iter_rules()}
    labels = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', response.text)
    assert {name for name, _ in labels} <= LABELS
    assert {value for name, value in labels if name == "rule"} <= rules | {"none"}
    assert {value for name, value in labels if name == "method"} <= METHODS | {"other"}
    for word in (canary, stage.session_id, stage.customer.id, stage.workspace.slug, METRICS_TOKEN):
        assert word not in response.text.lower()
    figures = figures_of(response.text)
    for status in (404, 405):
        assert series("chat_requests_total", rule="none", method="other", status=status) in figures


async def test_tells_of_snapshots_whose_age_is_hidden_from_its_role(
    fresh_database: FreshDatabase, tmp_path: Path
) -> None:
    owner = fresh_database("hidden")
    role = f"chat_{unique()}"
    plain = make_url(owner).set(username=role).render_as_string(hide_password=False)
    engine = open_engine(Database(url=owner))
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ")
    async with engine.connect() as db:
        await db.execute(text(f"CREATE ROLE {role} LOGIN"))
        await db.commit()
        async with client_of(config_of(plain, tmp_path)) as client, snapshot.connect() as held:
            await held.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": HELD_SECONDS})
            blind = await answered(client)
            await db.execute(text(f"GRANT pg_read_all_stats TO {role}"))
            await db.commit()
            seeing = await answered(client)
        await db.execute(text(f"DROP ROLE {role}"))
        await db.commit()
    await engine.dispose()
    assert blind["chat_oldest_snapshot_seconds"] < HELD_SECONDS
    assert blind["chat_snapshots_hidden"] == 1
    assert seeing["chat_oldest_snapshot_seconds"] >= HELD_SECONDS
    assert seeing["chat_snapshots_hidden"] == 0


async def test_tells_how_long_the_oldest_snapshot_is_held(
    service: Service, client: httpx2.AsyncClient, backend: str
) -> None:
    if backend == "sqlite":
        assert "chat_oldest_snapshot_seconds" not in await read(client)
        return
    engine = open_engine(service.config.database)
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ")
    async with snapshot.connect() as db:
        await db.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": HELD_SECONDS})
        held = (await answered(client))["chat_oldest_snapshot_seconds"]
    await engine.dispose()
    assert held >= HELD_SECONDS
    assert 0 <= (await answered(client))["chat_oldest_snapshot_seconds"] < held


async def test_answers_without_the_database_and_tells_the_rest(tmp_path: Path) -> None:
    config = config_of("postgresql://user@127.0.0.1:1/chat", tmp_path)
    async with client_of(config) as client:
        figures = await read(client)
    assert "chat_oldest_snapshot_seconds" not in figures
    assert "chat_lane_drafts_waiting" in figures


@pytest.mark.timeout(30)
async def test_does_not_wait_for_a_database_that_is_silent(tmp_path: Path) -> None:
    """Nothing but the bound of the reading would end it before the test's own time is up."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://user@127.0.0.1:{silent.getsockname()[1]}/chat"
        config = attrs.evolve(config_of(url, tmp_path), database=Database(url=url, pool_seconds=60))
        async with client_of(config) as client:
            assert "chat_oldest_snapshot_seconds" not in await read(client)
