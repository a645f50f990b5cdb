"""Which identity tokens are believed: tables of good and bad ones, each of the bad for one fault."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OctKey, OKPKey
from joserfc.jws import JWSRegistry

from chat_service.customers.identity import SiteKey, site_key, verify
from chat_service.errors import InvalidIdentity
from chat_service.schema import KeyAlgorithm
from chat_service.test.builders import Json
from chat_service.test.customers.site import encoded

NOW: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
AT: Final = int(NOW.timestamp())
INBOX: Final = "ib_1_2"
SECRET: Final = "s" * 43
PAIR: Final = OKPKey.generate_key("Ed25519")
KEYS: Final = [
    site_key("a" * 32, KeyAlgorithm.HS256, SECRET),
    site_key("b" * 32, KeyAlgorithm.ED25519, PAIR.as_dict(private=False)),
]
SHARED: Final[Json] = {"alg": "HS256", "typ": "JWT", "kid": "a" * 32}
PAIRED: Final[Json] = {"alg": "EdDSA", "typ": "JWT", "kid": "b" * 32}
CLAIMS: Final[Json] = {"sub": "user-7", "aud": INBOX, "iat": AT, "exp": AT + 300}


def sign(header: Any, claims: Any, algorithm: str = "HS256", key: Any = None) -> str:
    """A token, signed whatever its header says."""
    said = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    signer = JWSRegistry(algorithms=[algorithm]).get_alg(algorithm)
    mac = signer.sign(said.encode(), key or OctKey.import_key(SECRET))
    return f"{said}.{encoded(mac)}"


def is_believed(token: str, keys: list[SiteKey] = KEYS, *, audience: str = INBOX) -> bool:
    """Whether a token is believed now."""
    try:
        verify(token, keys, audience=audience, now=NOW)
    except InvalidIdentity as error:
        assert [(one.pointer, one.code) for one in error.errors] == [
            ("/identity_token", "invalid_identity")
        ]
        return False
    return True


def test_a_token_says_who_somebody_is() -> None:
    said = {"name": "Ada", "email": "ada@example.org", "email_verified": True, "jti": "1"}
    for token in (sign(SHARED, CLAIMS | said), sign(PAIRED, CLAIMS | said, "Ed25519", PAIR)):
        found = verify(token, KEYS, audience=INBOX, now=NOW)
        assert (found.external_id, found.name, found.email) == ("user-7", "Ada", "ada@example.org")
        assert found.email_verified is True
        assert found.expires_at == NOW + timedelta(seconds=360)


def test_what_it_does_not_say_is_not_known() -> None:
    found = verify(sign(SHARED, CLAIMS), KEYS, audience=INBOX, now=NOW)
    assert (found.name, found.email, found.email_verified) == (None, None, False)


def test_an_email_that_is_not_there_is_not_verified() -> None:
    token = sign(SHARED, CLAIMS | {"email_verified": True})
    assert not verify(token, KEYS, audience=INBOX, now=NOW).email_verified


HEADERS: Final[dict[str, Json]] = {
    "no kid": {"alg": "HS256", "typ": "JWT"},
    "kid of nobody": SHARED | {"kid": "c" * 32},
    "kid of another": SHARED | {"kid": "b" * 32},
    "kid as a path": SHARED | {"kid": "../../dev/null"},
    "kid as a query": SHARED | {"kid": "x' UNION SELECT 'key"},
    "kid as a number": SHARED | {"kid": 7},
    "kid as a list": SHARED | {"kid": ["a" * 32]},
    "kid in capitals": SHARED | {"kid": "A" * 32},
    "no alg": {"typ": "JWT", "kid": "a" * 32},
    "none": SHARED | {"alg": "none"},
    "None": SHARED | {"alg": "None"},
    "a longer hash": SHARED | {"alg": "HS512"},
    "RSA": SHARED | {"alg": "RS256"},
    "the other algorithm": SHARED | {"alg": "EdDSA"},
    "jku": SHARED | {"jku": "https://evil.example/keys"},
    "jwk": SHARED | {"jwk": {"kty": "oct", "k": encoded(SECRET.encode())}},
    "x5u": SHARED | {"x5u": "https://evil.example/x"},
    "crit": SHARED | {"crit": ["b64"], "b64": False},
    "a token of another kind": SHARED | {"typ": "at+jwt"},
    "one inside another": SHARED | {"cty": "JWT"},
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=list(HEADERS))
@pytest.mark.asvs("9.1.2", "9.1.3")
@pytest.mark.api_top10("API2")
def test_refuses_a_header_that_chooses_the_key_or_the_check(header: Json) -> None:
    assert is_believed(sign(SHARED, CLAIMS))
    assert not is_believed(sign(header, CLAIMS))


def test_a_header_need_not_tell_the_type() -> None:
    assert is_believed(sign({"alg": "HS256", "kid": "a" * 32}, CLAIMS))


def test_both_names_of_the_algorithm_of_a_pair_are_known() -> None:
    for name in ("EdDSA", "Ed25519"):
        assert is_believed(sign(PAIRED | {"alg": name}, CLAIMS, "Ed25519", PAIR))


@pytest.mark.asvs("9.1.2")
@pytest.mark.api_top10("API2")
def test_a_public_key_is_no_shared_secret() -> None:
    """The old confusion: the public key, which all may know, as secret of HS256."""
    public = PAIR.as_dict(private=False)
    for known in (
        PAIR.as_pem(private=False),
        json.dumps(public).encode(),
        str(public["x"]).encode(),
    ):
        for header in (PAIRED, PAIRED | {"alg": "HS256"}, SHARED):
            said = ".".join(encoded(json.dumps(part).encode()) for part in (header, CLAIMS))
            mac = hmac.new(known, said.encode(), hashlib.sha256).digest()
            assert not is_believed(f"{said}.{encoded(mac)}")


@pytest.mark.asvs("6.8.2", "9.1.1")
@pytest.mark.api_top10("API2")
def test_another_key_signs_nothing() -> None:
    assert not is_believed(sign(SHARED, CLAIMS, "HS256", OctKey.import_key("t" * 43)))
    other = OKPKey.generate_key("Ed25519")
    assert not is_believed(sign(PAIRED, CLAIMS, "Ed25519", other))
    assert not is_believed(sign(SHARED, CLAIMS), [])


BAD: Final[dict[str, Json]] = {
    "no sub": {"sub": None},
    "an empty sub": {"sub": ""},
    "a sub too long": {"sub": "x" * 129},
    "a sub too long in bytes": {"sub": "ü" * 65},
    "a sub with NUL": {"sub": "a\0b"},
    "half a character": {"sub": "\ud800"},
    "a number as sub": {"sub": 7},
    "no aud": {"aud": None},
    "another inbox": {"aud": "ib_1_3"},
    "a part of it": {"aud": "ib_1_"},
    "several": {"aud": [INBOX, "ib_1_3"]},
    "no iat": {"iat": None},
    "no exp": {"exp": None},
    "a time as text": {"exp": str(AT + 300)},
    "a time as truth": {"iat": True},
    "too long a life": {"exp": AT + 301},
    "a life of no time": {"exp": AT},
    "a life backwards": {"iat": AT + 50, "exp": AT + 10},
    "over": {"iat": AT - 360, "exp": AT - 60},
    "not yet": {"iat": AT + 61, "exp": AT + 300},
    "not before": {"nbf": AT + 61},
    "before all times": {"iat": -1, "exp": 1},
    "after all times": {"iat": 1e18, "exp": 1e18 + 256},
    "beyond numbers": {"exp": 10**400},
    "a name that is none": {"name": ["Ada"]},
    "a name too long": {"name": "x" * 129},
    "an email that is none": {"email": "ada"},
    "a word for a truth": {"email": "ada@example.org", "email_verified": "true"},
}


@pytest.mark.parametrize("change", BAD.values(), ids=list(BAD))
@pytest.mark.asvs("9.2.1", "9.2.3")
@pytest.mark.api_top10("API2")
def test_refuses_claims_that_are_not_good(change: Json) -> None:
    claims = {name: value for name, value in (CLAIMS | change).items() if value is not None}
    assert not is_believed(sign(SHARED, claims))


GOOD: Final[dict[str, Json]] = {
    "clocks a minute late": {"iat": AT - 359, "exp": AT - 59},
    "clocks a minute early": {"iat": AT + 60, "exp": AT + 300},
    "fractions": {"iat": AT + 0.5, "exp": AT + 60.25},
    "a sub of all its bytes": {"sub": "ü" * 64},
    "claims of no concern": {"iss": "shop", "admin": True, "workspace_id": "x"},
    "nothing said": {"name": None, "email": None, "email_verified": None, "nbf": None},
}


@pytest.mark.parametrize("change", GOOD.values(), ids=list(GOOD))
def test_believes_what_a_good_site_may_say(change: Json) -> None:
    assert is_believed(sign(SHARED, CLAIMS | change))


@pytest.mark.asvs("9.2.3")
def test_is_for_its_own_inbox_alone() -> None:
    assert not is_believed(sign(SHARED, CLAIMS), audience="ib_1_3")


@pytest.mark.asvs("9.1.1")
def test_no_other_spelling_of_a_token_is_one() -> None:
    token = sign(SHARED, CLAIMS)
    head, claims, mac = token.split(".")
    others = [token + "=", token + "\n", f" {token}", f"{token}.{mac}", f"{head}.{claims}."]
    others += [f"{head}.{claims}", f"{head}..{mac}", f".{claims}.{mac}", token.replace(".", "..")]
    others += [
        f"{head}.{claims}.{mac[:-1]}{letter}" for letter in "ABCDabcd0123-_" if letter != mac[-1]
    ]
    others += [f"{head}.{claims}.{mac[:-1]}", f"{head}.{claims}A.{mac}", f"{head}A.{claims}.{mac}"]
    assert [other for other in others if is_believed(other)] == []


def test_a_token_is_known_again_by_what_was_signed() -> None:
    first, second = (
        verify(sign(SHARED, CLAIMS | {"jti": one}), KEYS, audience=INBOX, now=NOW) for one in "12"
    )
    again = verify(sign(SHARED, CLAIMS | {"jti": "1"}), KEYS, audience=INBOX, now=NOW)
    assert first.digest == again.digest != second.digest


@given(st.text() | st.from_regex(r"[\w-]{1,40}\.[\w-]{1,40}\.[\w-]{1,40}", fullmatch=True))
def test_garbage_is_refused_and_breaks_nothing(text: str) -> None:
    assert not is_believed(text.encode(errors="replace").decode())


@pytest.mark.parametrize("part", ["[" * 1500, '{"a":' * 500, "null", "[]", '"x"', "1" * 900, ""])
def test_deep_or_strange_json_is_refused(part: str) -> None:
    head, claims, mac = sign(SHARED, CLAIMS).split(".")
    strange = encoded(part.encode())
    assert not is_believed(f"{strange}.{claims}.{mac}")
    said = f"{head}.{strange}"
    signer = JWSRegistry(algorithms=["HS256"]).get_alg("HS256")
    good = encoded(signer.sign(said.encode(), OctKey.import_key(SECRET)))
    assert not is_believed(f"{said}.{good}")
