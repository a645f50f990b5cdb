"""What a request says of the service's own name makes no link, and another service's requests are refused.

Seen elsewhere: a link to set a new password that led to the attacker's host, taken from the request.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typed_settings.types import Secret
from websockets.exceptions import InvalidStatus

from chat_service.config import Server
from chat_service.test.addresses import Stage, addresses, build_stage
from chat_service.test.conftest import METRICS_TOKEN, UNBOUNDED
from chat_service.test.figures import BEARER
from chat_service.test.limits.limited import Limited, limited
from chat_service.test.realtime.conftest import served
from chat_service.test.snapshot import rows_of
from chat_service.test.test_site_address import sockets_told_of

PUBLIC = "https://chat.example.org"
SOCKETS = "wss://chat.example.org/v1/realtime"
ANYWHERE = ("/health", "/health/live", "/health/ready", "/metrics")
EVIL: list[dict[str, str]] = [
    {"Host": "evil.example"},
    {"Host": "chat.example.org.evil.example"},
    {"Host": "chat.example.org@evil.example"},
    {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Forwarded-For": "1.2.3.4"},
    {"Forwarded": "for=1.2.3.4;host=evil.example;proto=http"},
    {"Forwarded": 'for=1.2.3.4;host="evil.example:443", for=127.0.0.1;host=evil.example'},
    {"X-Host": "evil.example", "X-Original-Host": "evil.example", "X-Forwarded-Server": "evil"},
]


def server_of(**rest: Any) -> Server:
    return Server(metrics_token=Secret(METRICS_TOKEN), **rest)


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Limited]:
    """Everybody comes by a trusted proxy, and any name will do."""
    server = server_of(public_url=PUBLIC, trusted_proxies=("127.0.0.0/8",))
    folder = tmp_path_factory.mktemp("public")
    async with limited(folder, rates=UNBOUNDED, server=server) as place:
        yield place


@pytest.fixture(scope="module")
async def strict(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Limited]:
    """Some names are listed; that of the public URL is always one of them."""
    server = server_of(public_url=f"{PUBLIC}:8443", hosts=("chat.internal", "[::1]"))
    folder = tmp_path_factory.mktemp("strict")
    async with limited(folder, rates=UNBOUNDED, server=server) as place:
        place.client.headers["Host"] = "chat.internal"
        yield place


@pytest.mark.parametrize("headers", EVIL, ids=str)
@pytest.mark.asvs("4.1.3")
@pytest.mark.api_top10("API8")
async def test_links_are_made_of_the_public_url_alone(
    place: Limited, headers: dict[str, str]
) -> None:
    assert await sockets_told_of(place.client, await place.workspace(), **headers) == {SOCKETS}


@pytest.mark.asvs("4.1.3")
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["Host", "X-Forwarded-Host", "Forwarded"]),
    st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"]), max_size=40),
)
async def test_no_answer_repeats_what_a_request_calls_the_service(
    place: Limited, name: str, made_up: str
) -> None:
    headers = {name: f"{made_up}evil.example"}
    for path in ("/v1/sessions", "/health", "/v1/nowhere", "/problems", "/docs", "/v1/realtime"):
        response = await place.client.get(path, headers=headers)
        told = response.text + str(response.headers)
        assert "evil.example" not in told and response.status_code < 500, path


@pytest.mark.asvs("4.1.3")
@pytest.mark.api_top10("API8")
async def test_a_trusted_proxy_tells_the_scheme_and_never_the_name(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    server = server_of(trusted_proxies=("127.0.0.1",))
    async with limited(tmp_path_factory.mktemp("own"), rates=UNBOUNDED, server=server) as place:
        here = await place.workspace()
        headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
        told = await sockets_told_of(place.client, here, **headers)
        assert told == {"wss://test/v1/realtime"}
        async with place.at("192.0.2.1") as stranger:
            assert await sockets_told_of(stranger, here, **headers) == {"ws://test/v1/realtime"}


@pytest.fixture
async def stage(strict: Limited) -> Stage:
    return await build_stage(await strict.workspace())


FOREIGN = ["evil.example", "chat.example.org.evil.example", "", "127.0.0.1", "chat.internal@evil"]
OWN = [
    "chat.example.org:8443",
    "chat.example.org",
    "CHAT.example.org.",
    "chat.internal:8080",
    "[::1]:8080",
]


@pytest.mark.api_top10("API8")
async def test_what_was_sent_to_another_service_is_421_and_changes_nothing(stage: Stage) -> None:
    before = await rows_of(stage.workspace)
    for address in addresses():
        path = address.partition(" ")[2]
        for host in FOREIGN:
            response = await stage.call(address, headers={"Host": host})
            if path in ANYWHERE:
                assert response.status_code in (200, 401), (address, host)
            else:
                assert (response.status_code, response.json()["code"]) == (421, "misdirected")
    assert await rows_of(stage.workspace) == before


@pytest.mark.parametrize("host", OWN)
async def test_the_service_is_called_by_its_own_names(stage: Stage, host: str) -> None:
    response = await stage.call("GET /v1/sessions", headers={"Host": host})
    assert response.status_code == 200


async def test_who_watches_a_process_asks_it_by_its_address(strict: Limited) -> None:
    for path in ANYWHERE:
        headers = BEARER | {"Host": "10.1.2.3:8080"}
        assert (await strict.client.get(path, headers=headers)).status_code == 200


async def test_a_socket_is_opened_at_the_services_own_name(strict: Limited) -> None:
    async with served(strict.service) as address:
        with pytest.raises(InvalidStatus) as refused:
            async with address.socket():
                pass
        assert refused.value.response.status_code == 421
