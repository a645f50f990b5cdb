"""Health, readiness, problem pages and the start page."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import httpx2
import pytest

from chat_service.app import create_app
from chat_service.config import Config
from chat_service.errors import ServiceError, every_error
from chat_service.model import migrations
from chat_service.test.conftest import config_of
from chat_service.test.postgres import FreshDatabase

PAGES = ["/docs", "/problems", "/problems/not_found"]


@pytest.fixture
def config(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Config:
    """A configuration with an empty database of its own."""
    url = f"sqlite:///{tmp_path / 'chat.db'}"
    if backend == "postgres":
        fresh: FreshDatabase = request.getfixturevalue("fresh_database")
        url = fresh("health")
    return config_of(url, tmp_path)


@asynccontextmanager
async def client_of(
    config: Config, *, migrated: bool = False, drained: bool = False
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a service whose database is up to date or empty, drained or not."""
    service = create_app(config)
    if migrated:
        await migrations.upgrade(service.database.engine)
    if drained:
        await service.drain.run(
            wait=0, window=0, limit=1, stop=service.lanes.flush, close=asyncio.sleep
        )
    transport = httpx2.ASGITransport(app=service)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
    await service.database.engine.dispose()


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
async def test_is_alive_and_ready(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_is_not_ready_while_it_drains_and_alive_all_the_same(config: Config) -> None:
    async with client_of(config, migrated=True, drained=True) as client:
        ready, live = await client.get("/health/ready"), await client.get("/health/live")
    assert (ready.status_code, ready.json()["code"]) == (503, "unavailable")
    assert ready.json()["detail"] == "The service is shutting down"
    assert ready.headers["Retry-After"] == "1"
    assert live.status_code == 200


async def test_is_ready_on_a_database_of_its_schema(config: Config) -> None:
    async with client_of(config, migrated=True) as client:
        assert (await client.get("/health/ready")).status_code == 200


async def test_is_not_ready_on_another_schema(config: Config) -> None:
    async with client_of(config) as client:
        ready, live = await client.get("/health/ready"), await client.get("/health")
    assert (ready.status_code, ready.json()["code"]) == (503, "unavailable")
    assert "chat-service migrate" in ready.json()["detail"]
    assert live.status_code == 200


@pytest.mark.asvs("13.4.6")
@pytest.mark.api_top10("API8")
async def test_tells_no_version_to_strangers(client: httpx2.AsyncClient) -> None:
    response = await client.get("/health")
    assert set(response.json()) == {"status"}
    assert "Server" not in response.headers


@pytest.mark.parametrize("error", list(every_error()), ids=lambda error: error.code)
async def test_every_error_has_a_page(
    client: httpx2.AsyncClient, error: type[ServiceError]
) -> None:
    response = await client.get(f"/problems/{error.code}")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert f"<code>{error.code}</code>" in response.text
    assert re.split("[`\n]", error.__doc__ or "")[0] in response.text


async def test_a_code_that_does_not_exist_has_no_page(client: httpx2.AsyncClient) -> None:
    response = await client.get("/problems/<script>")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_all_problems_stand_on_one_page(client: httpx2.AsyncClient) -> None:
    text = (await client.get("/problems")).text
    assert set(re.findall(r'href="/problems/(\w+)"', text)) == {
        error.code for error in every_error()
    }


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.asvs("3.4.3", "3.6.1")
async def test_a_page_loads_nothing_from_elsewhere(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.get(path)
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "://" not in response.text and "<style" not in response.text
    assert not re.search(r"<script(?! src=)|\son\w+=|\sstyle=|javascript:", response.text)


@pytest.mark.parametrize("path", PAGES)
async def test_what_a_page_loads_is_there(client: httpx2.AsyncClient, path: str) -> None:
    text = (await client.get(path)).text
    for loaded in set(re.findall(r'(?:src|href)="(/[^"]*)"', text)):
        assert (await client.get(loaded)).status_code == 200, loaded


@pytest.mark.asvs("15.2.3")
@pytest.mark.api_top10("API8")
async def test_the_start_page_is_for_development(config: Config) -> None:
    async with client_of(attrs.evolve(config, environment="development")) as client:
        page = await client.get("/")
    async with client_of(attrs.evolve(config, environment="production")) as client:
        nothing = await client.get("/")
    assert (page.status_code, nothing.status_code) == (200, 404)
    assert 'href="/docs"' in page.text
    assert nothing.json()["code"] == "not_found"
