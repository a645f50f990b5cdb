"""What a provider may do wrong, and how little of it the service believes or waits for."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from chat_service.agents.oidc.flow import Purpose, new_flow
from chat_service.agents.oidc.provider import AT_ONCE, Provider
from chat_service.app import Service
from chat_service.errors import Overloaded, ProviderUnavailable
from chat_service.schema import Outcome, utc_now
from chat_service.test.agents.oidc_place import (
    START,
    Place,
    oidc_service,
    place,
    provider,
    serving,
    settled,
    told,
)
from chat_service.test.agents.provider import (
    Program,
    Sign,
    answering,
    by_secret,
    new_keys,
    published,
    signer,
)
from chat_service.test.backends import limited_to
from chat_service.test.builders import Json
from chat_service.test.fakes import TurningClock

__all__ = ["oidc_service", "place", "provider"]
DISCOVERY = "/.well-known/openid-configuration"
EVIL = new_keys()
BIG = json.dumps({"id_token": "x" * 70_000})
MOVED = answering("302 Found", Location="http://127.0.0.1:1/token")


@pytest.fixture
async def stranger(
    service: Service, provider: Program, turning_clock: TurningClock
) -> AsyncIterator[Place]:
    """A place whose service has asked the provider for nothing yet."""
    provider.behave()
    async with serving(service, turning_clock, issuer=provider.issuer) as other:
        async with settled(other, provider) as found:
            yield found


TOKENS: dict[str, tuple[Json, Json, Sign | None]] = {
    "another nonce": ({}, {"nonce": "another"}, None),
    "another issuer": ({}, {"iss": "https://evil.example"}, None),
    "another audience": ({}, {"aud": "another"}, None),
    "expired": ({}, {"exp": 1}, None),
    "another key": ({}, {}, signer(EVIL["RS256"])),
    "its own key": ({"jwk": published(EVIL["RS256"], "RS256")}, {}, signer(EVIL["RS256"])),
    "none": ({"alg": "none"}, {}, lambda _: b""),
    "no kid": ({"kid": None}, {}, None),
    "unknown kid": ({"kid": "unknown"}, {}, None),
    "wrong subject": ({}, {"sub": "b" * 256}, None),
}


@limited_to("sqlite")
@pytest.mark.parametrize(("header", "claims", "sign"), TOKENS.values(), ids=list(TOKENS))
@pytest.mark.asvs("6.8.2", "10.5.1", "10.5.4")
@pytest.mark.api_top10("API2", "API10")
async def test_a_token_that_is_not_good_opens_nothing(
    place: Place, header: Json, claims: Json, sign: Sign | None
) -> None:
    await place.linked("bob")
    usual = await place.finish({"flow": "made up"}, {"code": "x", "state": "y"})
    provider = place.provider
    provider.header, provider.claims, provider.sign = header, claims, sign
    assert told(await place.go("bob")) == told(usual)
    provider.behave()
    assert (await place.go("bob")).status_code == 200


@limited_to("sqlite")
@pytest.mark.asvs("9.1.2")
@pytest.mark.api_top10("API2")
async def test_the_public_key_is_no_secret_to_sign_with(place: Place) -> None:
    await place.linked("bob")
    provider = place.provider
    provider.header = {"alg": "HS256"}
    for secret in (provider.keys["RS256"].as_pem(private=False), b""):
        provider.sign = by_secret(secret)
        assert (await place.go("bob")).status_code == 400


ANSWERS: dict[str, bytes] = {
    "too much": answering("200 OK", BIG),
    "too much without saying so": b"HTTP/1.1 200 OK\r\n\r\n" + BIG.encode(),
    "a redirect": MOVED,
    "a fault": answering("500 Internal Server Error"),
    "busy": answering("429 Too Many Requests"),
    "no JSON": answering("200 OK", "<html>"),
    "no object": answering("200 OK", "[]"),
    "another document": answering("200 OK", '{"keys": 7, "issuer": 7}'),
    "an encoded answer": answering("200 OK", b"\x1f\x8b", Content_Encoding="gzip"),
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "not all of it": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
}


async def unavailable(place: Place, subject: str = "bob") -> None:
    """See that a way ends with a fault of the provider's, which counts against nobody."""
    started = await place.start()
    back = place.provider.visit(started["authorization_url"], subject)
    response = await place.finish(started, back)
    assert (response.status_code, response.json()["code"]) == (503, "provider_unavailable")
    assert response.json()["retryable"] and response.headers["Retry-After"] == "1"


@limited_to("sqlite")
@pytest.mark.asvs("16.5.2")
@pytest.mark.api_top10("API10")
async def test_a_token_answer_is_bounded_and_taken_as_it_is(stranger: Place) -> None:
    await stranger.linked("bob")
    for name, answer in ANSWERS.items():
        stranger.provider.answers["/token"] = answer
        await unavailable(stranger)
        assert stranger.provider.asked["/token"] > 1, name
    stranger.provider.behave()
    assert (await stranger.go("bob")).status_code == 200
    assert Outcome.REFUSED not in {each.outcome for each in await stranger.audited()}


@limited_to("sqlite")
@pytest.mark.asvs("13.2.6", "15.2.2")
@pytest.mark.api_top10("API10")
async def test_a_slow_answer_is_not_waited_for_nor_by_many(
    service: Service, provider: Program, turning_clock: TurningClock
) -> None:
    provider.behave()
    patience = {"issuer": provider.issuer, "answer_seconds": 2}
    async with serving(service, turning_clock, **patience) as other:
        async with settled(other, provider) as place:
            provider.answers["/token"] = b""
            await unavailable(place)
            flow = new_flow(place.workspace.id, Purpose.SIGN_IN, None, now=utc_now())
            codes = [known_to(other).subject(flow, "code", iss=None) for _ in range(AT_ONCE + 1)]
            found = await asyncio.gather(*codes, return_exceptions=True)
    kinds = Counter(type(each) for each in found)
    assert kinds == {ProviderUnavailable: AT_ONCE, Overloaded: 1}


@limited_to("sqlite")
@pytest.mark.parametrize("path", [DISCOVERY, "/jwks"])
@pytest.mark.api_top10("API10")
async def test_what_it_says_of_itself_is_bounded_too(stranger: Place, path: str) -> None:
    body = {"purpose": "sign_in"}
    for answer in ANSWERS.values():
        stranger.provider.answers[path] = answer
        response = await stranger.call("POST", START, body)
        assert (response.status_code, response.json()["code"]) == (503, "provider_unavailable")
    stranger.provider.behave()
    assert (await stranger.call("POST", START, body)).status_code == 200


@limited_to("sqlite")
async def test_a_client_that_it_does_not_know_is_no_fault_of_the_agents(stranger: Place) -> None:
    await stranger.linked("bob")
    for status in ("400 Bad Request", "401 Unauthorized"):
        refusal = answering(status, json.dumps({"error": "invalid_client"}))
        stranger.provider.answers["/token"] = refusal
        await unavailable(stranger)


@limited_to("sqlite")
@pytest.mark.asvs("16.5.1", "16.5.2")
async def test_a_provider_that_is_down_is_503_and_retryable(
    service: Service, provider: Program, turning_clock: TurningClock
) -> None:
    async with serving(service, turning_clock, issuer="http://127.0.0.1:1") as other:
        async with settled(other, provider) as place:
            response = await place.call("POST", START, {"purpose": "sign_in"})
    assert (response.status_code, response.json()["code"]) == (503, "provider_unavailable")
    assert response.json()["retryable"] and "127.0.0.1" not in response.text


METADATA: dict[str, Json] = {
    "another issuer": {"issuer": "https://evil.example"},
    "an issuer with a slash more": {"issuer": "{}/"},
    "no issuer": {"issuer": None},
    "a script for a page": {"authorization_endpoint": "javascript:alert(1)//"},
    "a page without TLS": {"authorization_endpoint": "http://id.example.org/"},
    "keys without TLS": {"jwks_uri": "http://id.example.org/jwks"},
    "keys in a file": {"jwks_uri": "file:///etc/passwd"},
    "tokens without TLS": {"token_endpoint": "http://localhost/token"},
    "a user in the address": {"token_endpoint": "https://id@evil.example/token"},
    "a piece of a page": {"authorization_endpoint": "https://id.example.org/a#b"},
    "a line more": {"authorization_endpoint": "https://id.example.org/a?b\r\nc"},
    "a number": {"token_endpoint": 7},
    "no address": {"jwks_uri": None},
}


@limited_to("sqlite")
@pytest.mark.asvs("1.2.2", "1.3.6", "10.5.3")
@pytest.mark.api_top10("API7", "API10")
async def test_refuses_a_document_of_another_issuer_or_with_unsafe_addresses(
    stranger: Place,
) -> None:
    for name, changes in METADATA.items():
        issuer = stranger.provider.issuer
        filled = {
            key: str(text).format(issuer) if key == "issuer" and text else text
            for key, text in changes.items()
        }
        stranger.provider.metadata = filled
        response = await stranger.call("POST", START, {"purpose": "sign_in"})
        assert (response.status_code, response.json()["code"]) == (
            503,
            "provider_unavailable",
        ), name
    assert stranger.provider.asked["/jwks"] == 0


@limited_to("sqlite")
async def test_its_documents_are_read_once_an_hour(stranger: Place, clock: TurningClock) -> None:
    asked = stranger.provider.asked
    for _ in range(3):
        await stranger.start()
    assert (asked[DISCOVERY], asked["/jwks"]) == (1, 1)
    clock.turn(minutes=61)
    await stranger.start()
    assert (asked[DISCOVERY], asked["/jwks"]) == (2, 2)


@limited_to("sqlite")
async def test_those_who_come_at_once_share_one_fetch_and_its_failure(stranger: Place) -> None:
    asked, oidc = stranger.provider.asked, known_to(stranger.workspace.service)
    flow = new_flow(stranger.workspace.id, Purpose.SIGN_IN, None, now=utc_now())
    stranger.provider.answers[DISCOVERY] = answering("500 Internal Server Error")
    for kind in (ProviderUnavailable, str):
        ways = [oidc.authorization_url(flow, "state") for _ in range(20)]
        found = await asyncio.gather(*ways, return_exceptions=True)
        assert {type(each) for each in found} == {kind}
        assert asked[DISCOVERY] == 1
        stranger.provider.behave()


def known_to(service: Service) -> Provider:
    """What a service knows of its provider."""
    found: Provider = service.quart.extensions["chat_service"].oidc
    return found


@limited_to("sqlite")
@pytest.mark.asvs("9.1.3")
async def test_a_new_key_is_found_and_an_unknown_one_asked_for_once_a_minute(
    stranger: Place, clock: TurningClock
) -> None:
    await stranger.linked("bob")
    provider, key = stranger.provider, EVIL["RS256"]
    provider.header, provider.sign = {"kid": "new"}, signer(key)
    assert (await stranger.go("bob")).status_code == 400
    assert provider.asked["/jwks"] == 1
    provider.jwks = [published(key, "new")]
    clock.turn(seconds=61)
    assert (await stranger.go("bob")).status_code == 200
    assert provider.asked["/jwks"] == 2
    provider.header = {"kid": "another"}
    for _ in range(3):
        assert (await stranger.go("bob")).status_code == 400
    assert provider.asked["/jwks"] == 2
    clock.turn(seconds=61)
    assert (await stranger.go("bob")).status_code == 400
    assert provider.asked["/jwks"] == 3


@limited_to("sqlite")
async def test_a_clock_that_is_set_back_keeps_no_key_for_ever(
    stranger: Place, clock: TurningClock
) -> None:
    clock.turn(hours=5)
    await stranger.start()
    clock.turn(hours=-5)
    await stranger.start()
    await stranger.start()
    assert stranger.provider.asked[DISCOVERY] == 2
