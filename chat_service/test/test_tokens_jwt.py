"""Attacks on the customer's token, a JWT (RFC 8725): none of them is answered but by 401."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from chat_service.app import Service
from chat_service.test.builders import Json, Person, Workspace, build_workspace
from chat_service.tokens import load_secret_key

HEADER = {"alg": "HS256", "typ": "at+jwt"}


def packed(value: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def unpacked(text: str) -> bytes:
    """What was packed."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims_of(person: Person) -> Json:
    """What a token says."""
    claims: Json = json.loads(unpacked(person.token.split(".")[1]))
    return claims


def signed(
    header: Any, claims: Any, key: bytes, digest: Callable[..., Any] = hashlib.sha256
) -> str:
    """A token of whoever has a key."""
    words = f"{packed(json.dumps(header).encode())}.{packed(json.dumps(claims).encode())}"
    return f"{words}.{packed(hmac.new(key, words.encode(), digest).digest())}"


def own_key(service: Service) -> bytes:
    """The key the service signs customers' tokens with."""
    return hmac.new(
        load_secret_key(service.config.auth), b"customer token", hashlib.sha256
    ).digest()


async def status(person: Person, token: str) -> int:
    """What a request with another token is answered."""
    headers = {"Authorization": f"Bearer {token}"}
    return (await person.client.get("/v1/sessions", headers=headers)).status_code


@pytest.fixture
async def ada(workspace: Workspace) -> Person:
    """A customer with a good token."""
    return await workspace.customer()


async def test_a_token_made_by_hand_as_the_service_makes_it_is_good(
    service: Service, ada: Person
) -> None:
    """Else the refusals below would prove nothing."""
    assert await status(ada, signed(HEADER, claims_of(ada), own_key(service))) == 200


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", None])
@pytest.mark.asvs("9.1.1", "9.1.2")
@pytest.mark.api_top10("API2")
async def test_refuses_a_token_without_signature(ada: Person, name: str | None) -> None:
    header, claims = ada.token.split(".")[:2]
    unsigned = packed(json.dumps({**HEADER, "alg": name}).encode())
    for token in (f"{unsigned}.{claims}.", f"{unsigned}.{claims}", f"{header}.{claims}."):
        assert await status(ada, token) == 401
    assert await status(ada, f"{unsigned}.{claims}.{ada.token.split('.')[2]}") == 401


@pytest.mark.parametrize("key", [b"", b"secret", b"0" * 32, b"chat-service"])
@pytest.mark.asvs("9.1.1")
@pytest.mark.api_top10("API2")
async def test_refuses_another_key(ada: Person, key: bytes) -> None:
    assert await status(ada, signed(HEADER, claims_of(ada), key)) == 401


@pytest.mark.asvs("9.1.1")
async def test_the_secret_key_itself_signs_nothing(service: Service, ada: Person) -> None:
    token = signed(HEADER, claims_of(ada), load_secret_key(service.config.auth))
    assert await status(ada, token) == 401


@pytest.mark.parametrize(("name", "digest"), [("HS384", hashlib.sha384), ("HS512", hashlib.sha512)])
@pytest.mark.asvs("9.1.2")
@pytest.mark.api_top10("API2")
async def test_refuses_another_algorithm_with_the_right_key(
    service: Service, ada: Person, name: str, digest: Callable[..., Any]
) -> None:
    token = signed({**HEADER, "alg": name}, claims_of(ada), own_key(service), digest)
    assert await status(ada, token) == 401


@pytest.mark.parametrize(
    "extra",
    [
        {"jwk": {"kty": "oct", "k": packed(b"mine" * 8)}},
        {"jku": "https://evil.example/keys"},
        {"kid": "../../../../dev/null"},
        {"x5u": "https://evil.example/cert"},
    ],
)
@pytest.mark.asvs("9.1.3")
@pytest.mark.api_top10("API2")
async def test_takes_no_key_from_the_token(ada: Person, extra: Json) -> None:
    for key in (b"mine" * 8, b""):
        assert await status(ada, signed({**HEADER, **extra}, claims_of(ada), key)) == 401


@pytest.mark.parametrize("typ", ["JWT", "jwt", "", None])
@pytest.mark.asvs("9.2.2")
async def test_a_token_of_another_purpose_is_none(
    service: Service, ada: Person, typ: str | None
) -> None:
    assert (
        await status(ada, signed({**HEADER, "typ": typ}, claims_of(ada), own_key(service))) == 401
    )
    untyped = signed({"alg": "HS256"}, claims_of(ada), own_key(service))
    assert await status(ada, untyped) == 401


async def test_an_extension_that_must_be_understood_is_not(service: Service, ada: Person) -> None:
    header = {**HEADER, "crit": ["exp2"], "exp2": 1}
    assert await status(ada, signed(header, claims_of(ada), own_key(service))) == 401


WRONG: list[Json] = [
    {"aud": "chat-service/agent"},
    {"aud": None},
    {"aud": []},
    {"iss": "https://evil.example"},
    {"iss": None},
    {"exp": None},
    {"exp": 0},
    {"exp": -1},
    {"exp": "tomorrow"},
    {"exp": 1e300},
    {"exp": True},
    {"sub": None},
    {"sub": "everybody"},
    {"sub": 5},
    {"ws": None},
    {"ws": "*"},
    {"ws": []},
    {"family": None},
    {"family": {}},
    {"inbox": None},
]


@pytest.mark.parametrize("change", WRONG)
@pytest.mark.asvs("9.2.1", "9.2.3")
@pytest.mark.api_top10("API2")
async def test_refuses_wrong_claims_under_a_good_signature(
    service: Service, ada: Person, change: Json
) -> None:
    claims = {**claims_of(ada), **change}
    missing = {name: value for name, value in claims.items() if value is not None}
    for version in (claims, missing):
        assert await status(ada, signed(HEADER, version, own_key(service))) == 401


@pytest.mark.parametrize("claims", [[], "x", 5, None, {}])
async def test_refuses_what_is_no_set_of_claims(
    service: Service, ada: Person, claims: object
) -> None:
    assert await status(ada, signed(HEADER, claims, own_key(service))) == 401


@pytest.mark.parametrize("name", ["sub", "ws", "family", "inbox", "exp"])
@pytest.mark.asvs("9.1.1")
@pytest.mark.api_top10("API2")
async def test_swapped_claims_break_the_signature(ada: Person, name: str) -> None:
    header, _, signature = ada.token.split(".")
    claims = {**claims_of(ada), name: 4_000_000_000 if name == "exp" else uuid4().hex}
    assert await status(ada, f"{header}.{packed(json.dumps(claims).encode())}.{signature}") == 401


@pytest.mark.asvs("9.1.1")
@pytest.mark.api_top10("API2")
async def test_two_good_tokens_make_no_third(workspace: Workspace, ada: Person) -> None:
    elsewhere = await build_workspace(workspace.service, workspace.client)
    for other in (await workspace.customer(), await elsewhere.customer()):
        header, _, signature = ada.token.split(".")
        assert await status(ada, f"{header}.{other.token.split('.')[1]}.{signature}") == 401


@pytest.mark.asvs("9.1.1")
async def test_a_changed_signature_is_refused(ada: Person) -> None:
    words, _, signature = ada.token.rpartition(".")
    first = "B" if signature[0] == "A" else "A"
    for other in (first + signature[1:], signature[:-4], "A" * len(signature), signature[::-1]):
        assert await status(ada, f"{words}.{other}") == 401


@pytest.mark.asvs("9.2.2")
@pytest.mark.api_top10("API2")
async def test_a_refresh_token_is_no_access_token(ada: Person) -> None:
    assert await status(ada, ada.details["refresh_token"]) == 401
