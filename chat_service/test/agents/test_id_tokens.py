"""ID tokens: which keys count, and which tokens say who signs in. Every attack of RFC 8725."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from chat_service.agents.oidc.id_tokens import Expected, Refused, UnknownKey, keys_of, subject_of
from chat_service.test.agents.provider import (
    by_secret,
    changed,
    compact,
    encoded,
    new_keys,
    published,
    signer,
)
from chat_service.test.builders import Json

NOW: Final = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
MOMENT: Final = int(NOW.timestamp())
KEYS: Final = new_keys()
EVIL: Final = new_keys()
ISSUER: Final = "https://id.example.org"
EXPECTED: Final = Expected(ISSUER, "chat", "n-0S6")
CLAIMS: Final[Json] = {
    "iss": ISSUER,
    "sub": "bob",
    "aud": "chat",
    "exp": MOMENT + 300,
    "iat": MOMENT,
    "nonce": "n-0S6",
    "email": "bob@example.org",
}


def jwks(*keys: Json) -> bytes:
    """A document of keys."""
    return json.dumps({"keys": list(keys)}).encode()


def of_the_provider() -> list[Json]:
    """The keys of the provider as it publishes them."""
    return [published(key, kid, alg=kid) for kid, key in KEYS.items()]


KNOWN: Final = keys_of(jwks(*of_the_provider()))


def token(algorithm: str = "RS256", /, header: Json | None = None, **claims: Any) -> str:
    """A token of the provider, with changes that it signed itself."""
    said = changed({"alg": algorithm, "kid": algorithm}, header or {})
    return compact(said, changed(CLAIMS, claims), signer(KEYS[algorithm]))


def subject(text: str, expected: Expected = EXPECTED) -> str:
    """Whom a token speaks of."""
    return subject_of(text, KNOWN, expected, now=NOW)


@pytest.mark.parametrize("algorithm", KEYS)
def test_takes_a_token_of_each_algorithm(algorithm: str) -> None:
    assert subject(token(algorithm)) == "bob"


GOOD: dict[str, Json] = {
    "a list for one": {"aud": ["chat"]},
    "several, and the party is named": {"aud": ["other", "chat"], "azp": "chat"},
    "a clock that is a little slow": {"exp": MOMENT - 59},
    "a clock that is a little fast": {"iat": MOMENT + 59, "nbf": MOMENT + 59},
    "dated back, as Microsoft Entra does": {"iat": MOMENT - 305, "nbf": MOMENT - 305},
    "older than the flow, which the nonce binds it to": {"iat": MOMENT - 86_400},
    "times in parts of a second": {"exp": MOMENT + 0.5, "iat": MOMENT - 0.5},
    "claims of its own": {"roles": [{"a": 1}], "email_verified": "yes"},
    "no type": {"typ": None},
}


@pytest.mark.parametrize("claims", GOOD.values(), ids=list(GOOD))
def test_takes_what_a_provider_may_say(claims: Json) -> None:
    assert subject(token(**claims)) == "bob"


@pytest.mark.parametrize("name", ["b" * 255, "a b|c:d/7", "~"])
def test_takes_any_printable_subject_up_to_255(name: str) -> None:
    assert subject(token(sub=name)) == name


BAD: dict[str, tuple[Json, str]] = {
    "another nonce": ({"nonce": "n-0S7"}, "nonce"),
    "no nonce": ({"nonce": None}, "claims"),
    "a nonce of another type": ({"nonce": ["n-0S6"]}, "claims"),
    "another issuer": ({"iss": "https://evil.example"}, "issuer"),
    "an issuer with a slash more": ({"iss": f"{ISSUER}/"}, "issuer"),
    "another audience": ({"aud": "another"}, "audience"),
    "an audience that begins alike": ({"aud": "chat2"}, "audience"),
    "nobody": ({"aud": []}, "audience"),
    "others": ({"aud": ["another", "others"], "azp": "chat"}, "audience"),
    "several, and no party": ({"aud": ["chat", "another"]}, "authorized party"),
    "another party": ({"aud": ["chat", "another"], "azp": "another"}, "authorized party"),
    "another party of one": ({"azp": "another"}, "authorized party"),
    "expired": ({"exp": MOMENT - 60}, "expired"),
    "expired long ago": ({"exp": -(10**300)}, "expired"),
    "without end": ({"exp": None}, "claims"),
    "an end in words": ({"exp": str(MOMENT + 300)}, "claims"),
    "true for an end": ({"exp": True}, "claims"),
    "endless": ({"exp": float("inf")}, "claims"),
    "no time": ({"exp": float("nan")}, "claims"),
    "of the future": ({"iat": MOMENT + 61}, "issued"),
    "never issued": ({"iat": None}, "claims"),
    "not yet": ({"nbf": MOMENT + 61}, "not yet"),
    "no subject": ({"sub": None}, "claims"),
    "an empty subject": ({"sub": ""}, "claims"),
    "a subject of 256": ({"sub": "b" * 256}, "claims"),
    "a number for a subject": ({"sub": 7}, "claims"),
    "other letters": ({"sub": "b\u043eb"}, "claims"),
    "NUL": ({"sub": "bob\0"}, "claims"),
    "a line more": ({"sub": "bob\n"}, "claims"),
    "a space before": ({"sub": " bob"}, "claims"),
}


@pytest.mark.parametrize(("claims", "reason"), BAD.values(), ids=list(BAD))
@pytest.mark.asvs("10.5.1", "10.5.4")
@pytest.mark.api_top10("API2", "API10")
def test_refuses_a_token_that_says_something_else(claims: Json, reason: str) -> None:
    with pytest.raises(Refused, match=f"^{reason}$"):
        subject(token(**claims))


def secrets() -> list[bytes]:
    """What a public key may look like to who takes it for a shared secret."""
    key = KEYS["RS256"]
    pem = key.as_pem(private=False)
    shown = published(key, "RS256")
    return [pem, pem.strip(), key.as_der(private=False), json.dumps(shown).encode(), b""]


def forged(header: Json, algorithm: str = "RS256") -> str:
    """A token of somebody who has a key of his own."""
    return compact(header, CLAIMS, signer(EVIL[algorithm]))


SHOWN: Final = published(EVIL["RS256"], "RS256")
FORGED: dict[str, str] = {
    "none": compact({"alg": "none", "kid": "RS256"}, CLAIMS, lambda _: b""),
    "None": compact({"alg": "None", "kid": "RS256"}, CLAIMS, lambda _: b""),
    "none with a signature": forged({"alg": "none", "kid": "RS256"}),
    "no algorithm": forged({"kid": "RS256"}),
    "a key of his own": forged({"alg": "RS256", "kid": "RS256"}),
    "a curve of his own": forged({"alg": "ES256", "kid": "ES256"}, "ES256"),
    "Edwards of his own": forged({"alg": "EdDSA", "kid": "EdDSA"}, "EdDSA"),
    "a key in the token": forged({"alg": "RS256", "kid": "RS256", "jwk": SHOWN}),
    "an address of keys": forged(
        {"alg": "RS256", "kid": "RS256", "jku": "https://evil.example/jwks"}
    ),
    "a certificate": forged({"alg": "RS256", "kid": "RS256", "x5c": ["MIIB"]}),
    "the algorithm of another key": forged({"alg": "ES256", "kid": "RS256"}, "ES256"),
    "a name that is not on the list": compact(
        {"alg": "Ed25519", "kid": "EdDSA"}, CLAIMS, signer(KEYS["EdDSA"])
    ),
    "a longer algorithm": compact({"alg": "RS512", "kid": "RS256"}, CLAIMS, signer(KEYS["RS256"])),
    "no kid": compact({"alg": "RS256"}, CLAIMS, signer(KEYS["RS256"])),
    "a number for a kid": compact({"alg": "RS256", "kid": 1}, CLAIMS, signer(KEYS["RS256"])),
    "what must be understood": token(header={"crit": ["b64"], "b64": False}),
    "no token": "",
    "no parts": "token",
    "two parts": ".".join(token().split(".")[:2]),
    "five parts": token() + "..",
    "no signature": token().rpartition(".")[0] + ".",
    "a cut signature": token()[:-8],
    "a list for a header": ".".join(encoded(each) for each in (b'["alg"]', b"{}", b"x")),
    "a deep header": ".".join(encoded(each) for each in (b"[" * 300, b"{}", b"x")),
    "other letters": token() + "\u00e4",
    "a large one": "a" * 60_000,
} | {
    f"a secret from the public key {number}": compact(
        {"alg": "HS256", "kid": "RS256"}, CLAIMS, by_secret(secret)
    )
    for number, secret in enumerate(secrets())
}


@pytest.mark.parametrize("text", FORGED.values(), ids=list(FORGED))
@pytest.mark.asvs("6.8.2", "9.1.1", "9.1.2", "9.1.3")
@pytest.mark.api_top10("API2", "API10")
def test_refuses_a_token_that_the_provider_did_not_sign(text: str) -> None:
    with pytest.raises(Refused):
        subject(text)


@pytest.mark.asvs("6.8.2", "9.1.1")
@pytest.mark.api_top10("API2")
def test_refuses_claims_that_were_changed_after_signing() -> None:
    header, _, signature = token().split(".")
    claims = encoded(json.dumps({**CLAIMS, "sub": "eve"}).encode())
    with pytest.raises(Refused, match="signature"):
        subject(f"{header}.{claims}.{signature}")


@pytest.mark.parametrize("kid", ["other", "", "../RS256", "RS256' OR 1=1", "None"])
def test_asks_for_the_keys_again_where_the_name_is_unknown(kid: str) -> None:
    with pytest.raises(UnknownKey):
        subject(token(header={"kid": kid}))


@pytest.mark.asvs("10.5.1")
def test_the_nonce_is_that_of_the_flow() -> None:
    with pytest.raises(Refused, match="nonce"):
        subject(token(), replace(EXPECTED, nonce="n-0S\u00e46"))


UNUSABLE: dict[str, Json] = {
    "a secret": OctKey.generate_key(256).as_dict() | {"kid": "k"},
    "for encryption": published(KEYS["RS256"], "k", use="enc"),
    "for another algorithm": published(KEYS["RS256"], "k", alg="PS256"),
    "a longer curve": published(ECKey.generate_key("P-384"), "k"),
    "another Edwards curve": published(OKPKey.generate_key("Ed448"), "k"),
    "for agreement": published(OKPKey.generate_key("X25519"), "k"),
    "without a name": {**published(KEYS["RS256"], "k"), "kid": None},
    "a short modulus": {"kty": "RSA", "kid": "k", "e": "AQAB", "n": encoded(b"\xf1" * 128)},
    "a huge modulus": {"kty": "RSA", "kid": "k", "e": "AQAB", "n": encoded(b"\xf1" * 2_000)},
    "no point of the curve": {
        **published(KEYS["ES256"], "k"),
        "y": encoded(b"\x01" * 32),
    },
    "no base64": {"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "\u00e4"},
    "numbers": {"kty": "RSA", "kid": "k", "e": 65537, "n": 7},
    "an unknown type": {"kty": "AKP", "kid": "k", "alg": "ML-DSA-44", "pub": "x"},
}


@pytest.mark.parametrize("key", UNUSABLE.values(), ids=list(UNUSABLE))
@pytest.mark.asvs("9.1.2", "11.6.1")
@pytest.mark.api_top10("API10")
def test_a_key_that_does_not_sign_as_we_accept_is_as_if_not_there(key: Json) -> None:
    assert set(keys_of(jwks(key, *of_the_provider()))) == set(KEYS)


def test_only_the_public_half_of_a_key_is_kept() -> None:
    shown = [{**key.as_dict(private=True), "kid": kid} for kid, key in KEYS.items()]
    for known in keys_of(jwks(*shown)).values():
        assert not known.key.is_private


@pytest.mark.api_top10("API10")
def test_no_more_keys_are_read_than_a_provider_needs() -> None:
    many = [published(KEYS["EdDSA"], str(number)) for number in range(100)]
    assert len(keys_of(jwks(*many))) == 64


@pytest.mark.parametrize(
    "document", [b"", b"\xff", b"[]", b"{}", b'{"keys": 7}', b'{"keys": {}}', b"[" * 60_000]
)
@pytest.mark.api_top10("API10")
def test_refuses_what_is_no_document_of_keys(document: bytes) -> None:
    with pytest.raises(ValueError):
        keys_of(document)


def test_a_key_of_a_wrong_type_in_the_list_is_passed_over() -> None:
    assert keys_of(b'{"keys": [7, null, "x", []]}') == {}
    assert isinstance(KEYS["RS256"], RSAKey)
