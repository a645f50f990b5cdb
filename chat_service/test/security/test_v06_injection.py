"""No parameter is more than a value: whatever stands in it, the query stays the query.

Seen elsewhere: SQL by the operator of a filter, and by the value of a typed attribute.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat_service.app import Service
from chat_service.test.addresses import Stage, api_document, build_stage
from chat_service.test.builders import build_workspace
from chat_service.test.events.apart import client_of
from chat_service.test.snapshot import rows_of

HOSTILE = [
    "'",
    '"',
    "\\",
    "%",
    "_",
    "\0",
    "' OR '1'='1",
    "1; DROP TABLE chat_sessions; --",
    "x') UNION SELECT secret_hash FROM tokens --",
    "$1",
    ":limit",
    "?",
    "{}",
    "[]",
    "null",
    "-1",
    "1e400",
    "9" * 400,
    "\u202e",
    "\U0001f600",
    "a" * 5_000,
    "queued,open') --",
    "-last_activity_at; SELECT pg_sleep(10)",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "c1.s.9999999999999999.00000000",
    "WzEsMl0",
]


@pytest.fixture(scope="module")
async def stage(service: Service) -> AsyncIterator[Stage]:
    """A workspace with a session of somebody else."""
    async with client_of(service) as client:
        stage = await build_stage(await build_workspace(service, client))
        await (await stage.workspace.customer()).start()
        yield stage


def parameters() -> Iterator[tuple[str, str]]:
    """Every parameter of a query, with its address."""
    for path, methods in api_document()["paths"].items():
        for method, operation in methods.items():
            for parameter in operation["parameters"]:
                if parameter["in"] == "query":
                    yield f"{method.upper()} {path}", parameter["name"]


PARAMETERS = list(parameters())


@pytest.mark.parametrize(("address", "name"), PARAMETERS)
@pytest.mark.asvs("1.2.4")
async def test_a_value_is_a_value(stage: Stage, address: str, name: str) -> None:
    before = await rows_of(stage.workspace)
    path = stage.path(address)
    for value in HOSTILE:
        response = await stage.customer.get(path, params={name: value})
        assert response.status_code in (200, 400, 403, 409), (value, response.text)
        assert "sqlite" not in response.text.lower() and "select" not in response.text.lower()
        response = await stage.key.get(path, params={name: value})
        assert response.status_code in (200, 400, 409), (value, response.text)
    assert await rows_of(stage.workspace) == before


@given(data=st.data())
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
)
async def test_no_filter_shows_a_customer_more(stage: Stage, data: Any) -> None:
    names = [name for address, name in PARAMETERS if address == "GET /v1/sessions"]
    words = st.sampled_from(HOSTILE) | st.text(max_size=40) | st.sampled_from(["all", "open"])
    chosen = data.draw(st.dictionaries(st.sampled_from(names), words, max_size=3))
    response = await stage.customer.get("/v1/sessions", params=chosen)
    assert response.status_code in (200, 400, 403)
    if response.status_code == 200:
        assert {one["id"] for one in response.json()["data"]} <= {stage.session_id}


@pytest.mark.parametrize("value", HOSTILE[:12])
async def test_text_comes_back_as_it_was_typed(stage: Stage, value: str) -> None:
    response = await stage.customer.send(stage.session_id, text=f"a{value}b")
    if "\0" in value:
        assert response.status_code == 422
    else:
        stored = (await stage.agent.messages(stage.session_id))[-1]
        assert stored["content"]["text"] == f"a{value}b"
