"""Requests and frames against the rates that hold by default."""

from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import httpx2
import pytest
from structlog.testing import capture_logs

from chat_service.agents.attempts import NOWHERE
from chat_service.config import Server
from chat_service.test.addresses import OFF, build_stage, in_turn, said_of, who_of
from chat_service.test.audit import acts_of
from chat_service.test.builders import Person, Workspace, message, unique
from chat_service.test.conftest import PLATFORM_TOKEN
from chat_service.test.figures import grown, read, series
from chat_service.test.limits.limited import WITHOUT_HASTE, Limited, limited, told
from chat_service.web import Who


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Limited]:
    async with limited(tmp_path_factory.mktemp("limited")) as place:
        yield place


@pytest.fixture
async def here(place: Limited) -> Workspace:
    return await place.workspace()


@pytest.fixture(scope="module")
async def tight(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Limited]:
    """A service where the generous rates are not."""
    rates = attrs.evolve(
        WITHOUT_HASTE,
        reads_burst=2,
        changes_burst=25,
        sessions_per_day=7,
        arrivals_per_minute=4,
        identities_per_minute=3,
    )
    async with limited(tmp_path_factory.mktemp("tight"), rates=rates) as place:
        yield place


def is_limited(address: str) -> bool:
    """Whether its callers are counted: those of public ones only where they say so."""
    if address in OFF:
        return False
    uncounted = Who.PUBLIC | Who.PLATFORM
    return said_of(address).limit is not None or not uncounted & who_of(address)


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4")
async def test_every_answer_of_a_limited_address_tells_what_is_left(here: Workspace) -> None:
    stage = await build_stage(here)
    counted = [address for address in in_turn() if is_limited(address)]
    assert len(counted) > 20
    for address in counted:
        response = await stage.call(address)
        assert response.headers["RateLimit"], (address, response.text)
        assert ";q=" in response.headers["RateLimit-Policy"]
    for address in ("GET /health", "GET /docs", "POST /v1/auth/sign-in"):
        assert "RateLimit" not in (await stage.call(address)).headers


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4")
async def test_refuses_the_send_beyond_the_burst_and_takes_the_same_later(
    place: Limited, here: Workspace
) -> None:
    customer = await here.customer()
    session_id = (await customer.start(text=None))["session"]["id"]
    path = f"/v1/sessions/{session_id}/messages"
    left = []
    for _ in range(20):
        sent = await customer.post(path, message())
        assert sent.status_code == 201
        left.append(sent.headers["RateLimit"])
    assert (left[0], left[-1]) == ('"send";r=19;t=1', '"send";r=0;t=1')
    body = message("kept")
    before = await read(place.client)
    refused = await customer.post(path, body)
    assert refused.status_code == 429
    assert refused.headers["Content-Type"] == "application/problem+json"
    document = refused.json()
    assert document["code"] == "rate_limited" and document["retryable"] is True
    assert (document["policy"], document["limit"], document["window_seconds"]) == ("send", 20, 4)
    assert int(refused.headers["Retry-After"]) >= int(refused.headers["RateLimit"].split("t=")[1])
    growth = grown(before, await read(place.client))
    assert growth[series("chat_rate_limited_total", policy="send")] == 1
    place.timer.pass_by(float(refused.headers["Retry-After"]))
    assert (await customer.post(path, body)).status_code == 201
    assert (await customer.messages(session_id))[-1]["content"]["text"] == "kept"


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4")
async def test_a_repeat_counts_as_well(here: Workspace) -> None:
    customer = await here.customer()
    session_id = (await customer.start(text=None))["session"]["id"]
    body = message()
    path = f"/v1/sessions/{session_id}/messages"
    answers = [told(await customer.post(path, body)) for _ in range(21)]
    assert answers == [(201, None)] * 20 + [(429, "send")]


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4")
async def test_what_comes_with_a_start_counts_as_sent(here: Workspace) -> None:
    customer = await here.customer()

    async def start() -> httpx2.Response:
        first = {"client_session_id": unique(), "initial_message": message()}
        return await customer.post("/v1/sessions", first | {"mode": "resume_or_create"})

    answers = [told(await start()) for _ in range(21)]
    assert answers == [(201, None)] + [(200, None)] * 19 + [(429, "send")]


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API6")
async def test_a_customer_starts_so_many_sessions_a_minute_and_finds_them_as_often_as_he_likes(
    place: Limited, here: Workspace
) -> None:
    customer, agent = await here.customer(), await here.agent()

    async def start(name: str | None = None) -> tuple[int, str | None]:
        response = await customer.post("/v1/sessions", {"client_session_id": name or unique()})
        if response.status_code == 201:
            path = f"/v1/sessions/{response.json()['session']['id']}"
            assert (await agent.post(f"{path}/close")).status_code == 200
        return told(response)

    assert await start("first") == (201, None)
    assert [await start() for _ in range(5)] == [(201, None)] * 4 + [(429, "start")]
    assert {await start("first") for _ in range(20)} == {(200, None)}
    place.timer.pass_by(12)
    assert await start() == (201, None)


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API6")
async def test_a_customer_starts_so_many_sessions_a_day(tight: Limited) -> None:
    here = await tight.workspace()
    customer, agent = await here.customer(), await here.agent()
    answers = []
    for number in range(8):
        tight.timer.pass_by(20)
        begun = await customer.post("/v1/sessions", {"client_session_id": str(number)})
        answers.append(told(begun))
        if begun.status_code == 201:
            await agent.post(f"/v1/sessions/{begun.json()['session']['id']}/close")
    assert answers == [(201, None)] * 7 + [(429, "start-day")]


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API6")
async def test_an_address_brings_so_many_customers_to_an_inbox(tight: Limited) -> None:
    here, there = await tight.workspace(), await tight.workspace()
    path, other = (f"/v1/inboxes/{each.inbox_key}/customers" for each in (here, there))
    async with tight.at("198.51.100.1") as client, tight.at("198.51.100.2") as neighbour:
        answers = [told(await client.post(path, json={})) for _ in range(5)]
        assert answers == [(201, None)] * 4 + [(429, "arrival")]
        assert told(await neighbour.post(path, json={})) == (201, None)
        assert told(await client.post(other, json={})) == (201, None)
        tight.timer.pass_by(15)
        assert told(await client.post(path, json={})) == (201, None)


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API6")
async def test_as_many_visitors_as_may_arrive_may_each_start_a_session(tight: Limited) -> None:
    here = await tight.workspace()
    people = [await here.customer() for _ in range(4)]
    starts = [await person.post("/v1/sessions", {"client_session_id": "1"}) for person in people]
    assert {told(each) for each in starts} == {(201, None)}
    response = await here.client.post(f"/v1/inboxes/{here.inbox_key}/customers", json={})
    assert told(response) == (429, "arrival")
    begun = await people[0].post("/v1/sessions", {"client_session_id": "2"})
    assert told(begun) == (429, "arrival")


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4")
async def test_a_customer_renews_so_often_and_keeps_nobody_of_his_address_from_it(
    tight: Limited,
) -> None:
    here = await tight.workspace()
    greedy, other = [
        {"refresh_token": (await here.customer()).details["refresh_token"]} for _ in range(2)
    ]
    wrong = {"refresh_token": f"{other['refresh_token']}0"}
    async with tight.at("198.51.100.3") as client:

        async def renew(token: dict[str, str]) -> tuple[int, str | None]:
            return told(await client.post("/v1/auth/token", json=token))

        assert [await renew(greedy) for _ in range(4)] == [(200, None)] * 3 + [(429, "identity")]
        assert [await renew(wrong) for _ in range(4)] == [(400, None)] * 3 + [(429, "identity")]
        assert await renew(other) == (200, None)


@pytest.mark.asvs("2.4.1", "16.3.1")
@pytest.mark.api_top10("API4")
async def test_nobody_fills_the_audit_log_with_identities_that_are_refused(
    place: Limited, here: Workspace
) -> None:
    path = f"/v1/inboxes/{here.inbox_key}/customers"
    wrong = {"identity_token": "of nobody", "device_id": "phone-1"}

    async def noted(times: int, *numbers: int) -> int:
        for number in numbers:
            async with place.at(f"198.51.100.{number}") as client:
                for _ in range(times):
                    assert (await client.post(path, json=wrong)).status_code == 422
        acts = [act.action for act in await acts_of(place.service, here.id)]
        return acts.count("customer.identified")

    before = await read(place.client)
    assert await noted(3, 1) == 1
    assert await noted(1, 2, 1) == 2
    assert await noted(1, *range(3, 15)) == 10, "of all addresses"
    place.timer.pass_by(60)
    assert await noted(2, 1) == 11
    assert grown(before, await read(place.client))["chat_identities_refused_total"] == 19


@pytest.mark.asvs("2.4.1", "16.3.1")
@pytest.mark.api_top10("API2", "API4")
async def test_an_address_tries_so_many_tokens_of_the_installation(tight: Limited) -> None:
    tokens = [*["x" * 32] * 4, PLATFORM_TOKEN]
    async with tight.at("198.51.100.4") as client, tight.at("198.51.100.5") as neighbour:

        async def found(client: httpx2.AsyncClient, token: str) -> tuple[int, str | None]:
            return told(await Person(client, token, "").post("/v1/workspaces"))

        answers = [await found(client, token) for token in tokens]
        assert answers == [(401, None)] * 3 + [(429, "identity")] * 2
        assert await found(neighbour, PLATFORM_TOKEN) == (422, None)
    (act,) = await acts_of(tight.service, NOWHERE)
    assert (act.action, act.outcome, act.address) == (
        "workspace.created",
        "refused",
        "198.51.100.4",
    )


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4")
async def test_reads_and_other_writes_have_rates_of_their_own(tight: Limited) -> None:
    here = await tight.workspace()
    agent, other = await here.agent(), await here.agent()
    path, body = "/v1/agents/me/availability", {"availability": "away"}
    reads = [told(await agent.get(path)) for _ in range(3)]
    assert reads == [(200, None)] * 2 + [(429, "read")]
    writes = [told(await agent.call("PATCH", path, json=body)) for _ in range(26)]
    assert writes == [(200, None)] * 25 + [(429, "change")]
    assert told(await other.get(path)) == (200, None)


async def test_a_request_that_waits_counts_once(here: Workspace) -> None:
    customer = await here.customer()
    session_id = (await customer.start())["session"]["id"]
    cursor = (await customer.events(session_id))[-1]["cursor"]
    path = f"/v1/sessions/{session_id}/events?wait=0.01&after={cursor}"
    left = [(await customer.get(path)).headers["RateLimit"] for _ in range(2)]
    assert left == ['"read";r=198;t=1', '"read";r=197;t=1']


async def test_who_is_not_known_is_not_counted(here: Workspace) -> None:
    response = await here.client.get("/v1/sessions")
    assert response.status_code == 401 and "RateLimit" not in response.headers


async def test_a_refusal_that_may_be_a_proxys_fault_is_told_once(tmp_path: Path) -> None:
    rates = attrs.evolve(WITHOUT_HASTE, arrivals_per_minute=1)
    for trusted, times in (((), 1), (("10.0.0.1",), 0)):
        folder = tmp_path / str(times)
        folder.mkdir()
        server = attrs.evolve(Server(), trusted_proxies=trusted)
        async with limited(folder, rates=rates, server=server) as place:
            here = await place.workspace()
            path = f"/v1/inboxes/{here.inbox_key}/customers"
            assert (await place.client.post(path, json={})).status_code == 201
            with capture_logs() as logs:
                for headers in ({}, {"X-Forwarded-For": "203.0.113.1"}, {"Forwarded": "for=_x"}):
                    refused = await place.client.post(path, json={}, headers=headers)
                    assert told(refused) == (429, "arrival")
        assert [each["event"] for each in logs].count("proxy_not_trusted") == times
