"""Ways round the rates that attackers try: none of them gives anybody more.

Seen elsewhere: a made-up `X-Forwarded-For`, one IPv6 address after the other of the same network,
another spelling of the path, and the other transport.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import attrs
import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from chat_service.test.builders import PASSWORD, Person, message, unique
from chat_service.test.limits.limited import WITHOUT_HASTE, Limited, limited, told
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.talkers import Address

BURST = 3
NETWORK = "2001:db8:0:1:"
FORGED = [
    {"X-Forwarded-For": "203.0.113.1"},
    {"X-Forwarded-For": "203.0.113.1, 127.0.0.1"},
    {
        "X-Real-IP": "203.0.113.2",
        "True-Client-IP": "203.0.113.2",
        "CF-Connecting-IP": "203.0.113.2",
    },
    {"Forwarded": "for=203.0.113.3;proto=https"},
    {"X-Forwarded-For": "203.0.113.4", "Forwarded": "for=203.0.113.4"},
    {"Via": "1.1 proxy", "Client-IP": "203.0.113.5"},
]


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Limited]:
    """Nobody is a trusted proxy, and the rates are small."""
    rates = attrs.evolve(
        WITHOUT_HASTE,
        customer_sends_burst=BURST,
        agent_sends_per_second=BURST,
        signs_burst=BURST,
        arrivals_per_minute=BURST,
        identities_per_minute=BURST,
        sockets_burst=BURST,
        reads_burst=BURST,
    )
    async with limited(tmp_path_factory.mktemp("limited"), rates=rates) as place:
        yield place


@pytest.fixture(scope="module")
async def address(place: Limited) -> AsyncIterator[Address]:
    async with served(place.service) as address:
        yield address


def spellings(path: str) -> Iterator[str]:
    """The same path to somebody who is not careful."""
    yield path + "/"
    yield path.replace("/v1/", "/v1//")
    yield path.replace("/v1/", "/V1/")
    yield path.replace("/v1/", "/v1/./")
    yield path + "?"
    yield path + "?x=1"
    yield path + "%20"
    yield path.replace("v1", "%76%31")
    head, _, tail = path.partition("/v1/")[2].partition("/")
    yield f"/v1/{head}/{tail.upper()}"


def gives_nothing(response: httpx2.Response) -> bool:
    """Whether it was not done: there is no such address, or the rate holds there too."""
    return response.status_code in (400, 404, 405, 429)


async def use_up(client: httpx2.AsyncClient, path: str, body: object) -> None:
    """Ask until the rate holds."""
    for _ in range(BURST):
        assert (await client.post(path, json=body)).status_code in (201, 422)
    assert (await client.post(path, json=body)).status_code == 429


@pytest.mark.parametrize("kind", ["arrival", "identity"])
@pytest.mark.asvs("2.4.1", "15.3.4")
@pytest.mark.api_top10("API4", "API6")
async def test_an_address_is_counted_however_it_is_dressed(place: Limited, kind: str) -> None:
    here = await place.workspace()
    path, body = f"/v1/inboxes/{here.inbox_key}/customers", dict[str, str]()
    if kind == "identity":
        body = {"identity_token": "of nobody", "device_id": "phone-1"}
    async with place.at(f"{NETWORK}:1") as client:
        await use_up(client, path, body)
        for headers in FORGED:
            assert told(await client.post(path, json=body, headers=headers)) == (429, kind)
        for spelt in spellings(path):
            assert gives_nothing(await client.post(spelt, json=body)), spelt
    for end in (":2", "ffff:ffff:ffff:ffff", "0:0:0:1"):
        async with place.at(f"{NETWORK}{end}") as client:
            assert told(await client.post(path, json=body)) == (429, kind), end
    async with place.at("2001:db8:0:2::1") as neighbour:
        assert (await neighbour.post(path, json=body)).status_code in (201, 422)


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4", "API6")
async def test_a_key_of_an_inbox_spelt_otherwise_is_that_inbox(place: Limited) -> None:
    here = await place.workspace()
    path = f"/v1/inboxes/{here.inbox_key}/customers"
    async with place.at("192.0.2.77") as client:
        await use_up(client, path, {})
        workspace, inbox = here.id, here.inbox.id
        for key in (
            f"ib_{workspace.hex.upper()}_{inbox.hex}",
            f"ib_{workspace}_{inbox}",
            f"ib_{{{workspace}}}_{inbox.hex}",
            f"ib_urn:uuid:{workspace}_{inbox.hex}",
        ):
            assert gives_nothing(await client.post(f"/v1/inboxes/{key}/customers", json={})), key


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4", "API6")
async def test_an_ipv4_address_in_other_clothes_is_the_same(place: Limited) -> None:
    here = await place.workspace()
    path = f"/v1/inboxes/{here.inbox_key}/customers"
    async with place.at("192.0.2.1") as client, place.at("::ffff:192.0.2.1") as dressed:
        await use_up(client, path, {})
        assert told(await dressed.post(path, json={})) == (429, "arrival")


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4")
async def test_a_caller_is_counted_whatever_he_sends_from_wherever(
    place: Limited, address: Address
) -> None:
    here = await place.workspace()
    customer = await here.customer()
    session_id = (await customer.start(text=None))["session"]["id"]
    path = f"/v1/sessions/{session_id}/messages"
    for _ in range(BURST):
        assert (await customer.post(path, message())).status_code == 201
    assert told(await customer.post(path, message())) == (429, "send")
    for headers in [*FORGED, {"Idempotency-Key": unique()}]:
        assert told(await customer.post(path, message(), headers=headers)) == (429, "send")
    for spelt in spellings(path):
        assert gives_nothing(await customer.post(spelt, message())), spelt
    async with place.moved(customer, "198.51.100.9") as elsewhere:
        assert told(await elsewhere.post(path, message())) == (429, "send")
        refreshed = {"refresh_token": customer.details["refresh_token"]}
        renewed = await elsewhere.client.post("/v1/auth/token", json=refreshed)
        again = replace(customer, token=renewed.json()["access_token"])
    assert told(await again.post(path, message())) == (429, "send")
    async with address.socket(again) as socket:
        for spelt in (session_id, session_id.upper()):
            assert (await socket.send(spelt))["problem"]["policy"] == "send"


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4")
async def test_a_second_login_gives_an_agent_no_more(place: Limited) -> None:
    here = await place.workspace()
    agent, customer = await here.agent(), await here.customer()
    session_id = (await customer.start(text=None))["session"]["id"]
    body = {
        "email": agent.details["agent"]["email"],
        "password": PASSWORD,
        "workspace": here.slug,
    }
    again = (await here.client.post("/v1/auth/sign-in", json=body)).json()
    logins = [agent, Person(agent.client, again["access_token"], agent.id)]
    answers = [told(await logins[turn % 2].send(session_id)) for turn in range(BURST + 1)]
    assert answers == [(201, None)] * BURST + [(429, "send")]


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4")
async def test_reads_are_counted_together_whatever_is_read(place: Limited) -> None:
    here = await place.workspace()
    agent = await here.agent()
    for path in ("/v1/sessions", "/v1/agents/me/availability", "/v1/sessions?limit=1"):
        assert (await agent.get(path)).status_code == 200
    for method, path in (("GET", "/v1/sessions"), ("HEAD", "/v1/sessions?limit=2")):
        assert (await agent.call(method, path)).status_code == 429


@pytest.mark.asvs("2.4.1", "15.3.4")
@pytest.mark.api_top10("API4")
async def test_the_door_of_the_sockets_is_not_fooled(place: Limited, address: Address) -> None:
    place.timer.pass_by(60)
    for _ in range(BURST):
        async with address.socket():
            pass
    for headers in [{}, *FORGED]:
        with pytest.raises(InvalidStatus) as refused:
            async with address.socket(headers=headers):
                pass
        assert refused.value.response.status_code == 429
