"""What every answer tells a browser, compared with a committed file: `headers.json`.

A change of it is a decision: run the test with CHAT_SNAPSHOT=write, and read the difference.
"""

import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from chat_service.app import Service
from chat_service.config import Security
from chat_service.headers import Kind, headers_of, kind_of
from chat_service.test.addresses import Stage, build_stage, in_turn
from chat_service.test.browsers import another_installation, signing_in
from chat_service.test.builders import build_workspace
from chat_service.test.realtime.conftest import served

ONCE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True, scope="session")
SNAPSHOT: Final = Path(__file__).parent / "headers.json"
OWN: Final = "https://test"
OF_THE_MOMENT: Final = {
    "content-length",
    "etag",
    "location",
    "ratelimit",
    "ratelimit-policy",
    "request-id",
    "retry-after",
}
Snapshot = list[dict[str, object]]


def told(response: httpx2.Response) -> tuple[tuple[str, str], ...]:
    """The headers of an answer, with a sign where the value is another each time."""
    return tuple((name, _shown(name, value)) for name, value in sorted(response.headers.items()))


def _shown(name: str, value: str) -> str:
    if name == "allow":
        return ", ".join(sorted(value.split(", ")))
    return "…" if name in OF_THE_MOMENT else re.sub(r"=at_\w+|; Expires=[^;]*", "", value)


async def answers(stage: Stage) -> AsyncIterator[tuple[str, httpx2.Response]]:
    """A good answer of every address, and of each kind of answer that no good one is."""
    client = stage.workspace.client
    for address in in_turn():
        yield address, await stage.call(address)
    yield "GET /nowhere", await client.get("/nowhere")
    yield "GET /v1/sessions by nobody", await client.get("/v1/sessions")
    yield "OPTIONS /v1/sessions", await client.request("OPTIONS", "/v1/sessions")
    events = {"Accept": "text/event-stream"}
    yield "GET /v1/realtime as a stream", await client.get("/v1/realtime", headers=events)
    etag = {"If-None-Match": (await client.get("/openapi.json")).headers["ETag"]}
    yield "GET /openapi.json once more", await client.get("/openapi.json", headers=etag)
    body = signing_in(stage.workspace, await stage.workspace.agent())
    own = {"Origin": OWN}
    yield "POST /v1/auth/sign-in by cookie", await client.post(
        "/v1/auth/sign-in", json=body, headers=own
    )
    yield "POST /v1/auth/sign-out by cookie", await client.post(
        "/v1/auth/sign-out", json={}, headers=own
    )


async def snapshot(stage: Stage) -> Snapshot:
    """Which answers have which headers."""
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    async for address, response in answers(stage):
        groups.setdefault(told(response), []).append(f"{address} {response.status_code}")
    return [
        {"answers": sorted(found), "headers": dict(headers)}
        for headers, found in sorted(groups.items(), key=lambda group: sorted(group[1]))
    ]


@pytest.mark.asvs("3.3.1", "3.3.2", "3.3.3", "3.3.4")
@pytest.mark.asvs("3.2.1", "3.4.1", "3.4.3", "3.4.4", "3.4.5", "3.4.6", "3.4.8", "3.5.8", "14.3.2")
@pytest.mark.api_top10("API8")
@ONCE
async def test_every_answer_has_the_headers_of_the_file(service: Service) -> None:
    security = Security("mailto:help@example.org")
    async with another_installation(
        service, OWN, environment="development", security=security
    ) as client:
        stage = await build_stage(await build_workspace(service, client))
        found = await snapshot(stage)
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("CHAT_SNAPSHOT") == "write":
        SNAPSHOT.write_text(text)
    assert found == json.loads(SNAPSHOT.read_text())


@pytest.mark.asvs("3.4.3", "3.4.4", "3.4.5", "3.4.6")
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("secure", [True, False])
def test_no_kind_of_answer_is_without_the_great_five(kind: Kind, secure: bool) -> None:
    found = dict(headers_of(kind, secure=secure))
    policy = found["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(policy)
    assert not re.search("unsafe|\\*|https?:", found["Content-Security-Policy"])
    assert found["X-Content-Type-Options"] == "nosniff"
    assert found["Referrer-Policy"] == "no-referrer"
    assert found["Cross-Origin-Resource-Policy"] == "same-origin"
    assert ("Strict-Transport-Security" in found) is secure


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        (None, Kind.API),
        ("application/json", Kind.API),
        ("application/problem+json", Kind.PROBLEM),
        ("text/html; charset=utf-8", Kind.PAGE),
        ("text/event-stream; charset=utf-8", Kind.EVENTS),
        ("image/svg+xml", Kind.ASSET),
        ("text/plain", Kind.API),
    ],
)
def test_the_kind_is_that_of_the_media_type(content_type: str | None, kind: Kind) -> None:
    assert kind_of(content_type) is kind


@pytest.mark.asvs("3.4.1")
@ONCE
@pytest.mark.parametrize(
    ("url", "public_url", "secure"),
    [
        ("http://test", "", False),
        ("https://test", "", True),
        ("http://10.0.0.7:8080", "https://chat.example.org", True),
        ("http://10.0.0.7:8080", "http://chat.example.org", False),
    ],
)
async def test_browsers_that_come_by_tls_are_told_to_stay_with_it(
    service: Service, url: str, public_url: str, secure: bool
) -> None:
    forged = {"X-Forwarded-Proto": "https", "Forwarded": "proto=https"}
    async with another_installation(service, url, public_url) as client:
        for path in ("/health", "/docs", "/nowhere", "/static/pages.css"):
            headers = (await client.get(path, headers=forged)).headers
            assert ("Strict-Transport-Security" in headers) is secure, path


@pytest.mark.asvs("3.4.3", "3.4.4", "3.4.6")
@ONCE
async def test_a_refused_upgrade_is_as_safe_as_any_problem(service: Service) -> None:
    async with served(service) as address:
        with pytest.raises(InvalidStatus) as refused:
            async with address.socket(origin="https://evil.example"):
                pass
    headers = refused.value.response.headers
    for name, value in headers_of(Kind.PROBLEM, secure=False):
        assert headers[name] == value
