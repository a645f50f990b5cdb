"""ID tokens: what a provider says of somebody, and whether it said so. Pure.

Owns which keys of a provider count, and every check of a token that needs nothing but the token, the
keys and the time (OpenID Connect Core, 3.1.3.7; RFC 8725). Leaves fetching to `oidc_provider`.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key
from pydantic import BaseModel, ConfigDict, Field, ValidationError

LEEWAY: Final = timedelta(seconds=60)
"""How far the clocks of the provider and of this service may be apart."""
KEYS_AT_MOST: Final = 64
MODULUS: Final = range(342, 1367)
"""Characters of an RSA modulus of 2,048 to 8,192 bits: weak keys prove nothing, long ones cost."""

Keys = Mapping[str, "SigningKey"]
"""The keys of a provider by `kid`."""
Number = Annotated[int | float, Field(allow_inf_nan=False)]


class UnknownKey(Exception):
    """The token names a key that is not among those at hand."""


class Refused(Exception):
    """The token is not one that says who signs in; the words are for the log."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key, and the one algorithm that it is for."""

    algorithm: str
    key: Key


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say to be an answer to a question of ours."""

    issuer: str
    client_id: str
    nonce: str


class Claims(BaseModel):
    """The claims that count; the others, an e-mail among them, are left alone."""

    model_config = ConfigDict(strict=True, frozen=True)

    iss: str
    sub: str = Field(pattern=r"^[!-~][ -~]{0,254}$")
    aud: str | list[str]
    azp: str | None = None
    exp: Number
    iat: Number
    nbf: Number | None = None
    nonce: str

    @property
    def audiences(self) -> list[str]:
        """For whom the token is."""
        return self.aud if isinstance(self.aud, list) else [self.aud]


class _Registry(jws.JWSRegistry):
    """EdDSA stands for Ed25519 alone, as which RFC 9864 knows it."""

    def get_alg(self, name: str) -> Any:
        """The algorithm of a header."""
        return super().get_alg("Ed25519" if name == "EdDSA" else name)


_REGISTRY: Final = _Registry(algorithms=["RS256", "ES256", "Ed25519"], strict_check_header=False)


def keys_of(document: bytes) -> dict[str, SigningKey]:
    """The keys of a JWKS (RFC 7517) that sign as we accept it; the others are as if not there.

    Raises ValueError where the document is none.
    """
    try:
        listed = json.loads(document)["keys"][:KEYS_AT_MOST]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("not a JWKS") from error
    found = {}
    for each in listed:
        key = _signing_key(each) if isinstance(each, dict) else None
        if key is not None:
            found[str(each.get("kid"))] = key
    return found


def _signing_key(jwk: dict[str, Any]) -> SigningKey | None:
    """The public half of a key, without what it says of itself once that has been looked at."""
    public: dict[str, str | list[str]]
    match jwk:
        case {"kty": "RSA", "n": str(n), "e": str(e)} if len(n) in MODULUS and len(e) < 12:
            algorithm, public = "RS256", {"kty": "RSA", "n": n, "e": e}
        case {"kty": "EC", "crv": "P-256", "x": str(x), "y": str(y)}:
            algorithm, public = "ES256", {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        case {"kty": "OKP", "crv": "Ed25519", "x": str(x)}:
            algorithm, public = "EdDSA", {"kty": "OKP", "crv": "Ed25519", "x": x}
        case _:
            return None
    fits = jwk.get("use", "sig") == "sig" and jwk.get("alg", algorithm) == algorithm
    if not fits or not isinstance(jwk.get("kid"), str):
        return None
    try:
        return SigningKey(algorithm, JWKRegistry.import_key(public))
    except (JoseError, ValueError):
        return None


def subject_of(token: str, keys: Keys, expected: Expected, *, now: datetime) -> str:
    """Whom a token speaks of, by the provider's own id; raises UnknownKey and Refused.

    The key is looked up by its `kid` among the provider's own and by nothing else the token says, and
    the key tells the algorithm.
    """
    header = _header(token)
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise Refused("no kid")
    if kid not in keys:
        raise UnknownKey()
    if header.get("alg") != keys[kid].algorithm:
        raise Refused("algorithm")
    try:
        signed = jws.deserialize_compact(token, keys[kid].key, registry=_REGISTRY)
        claims = Claims.model_validate_json(signed.payload)
    except ValidationError:
        raise Refused("claims") from None
    except (JoseError, ValueError):
        raise Refused("signature") from None
    for reason, fits in _checks(claims, expected, now=now).items():
        if not fits:
            raise Refused(reason)
    return claims.sub


def _header(token: str) -> dict[str, Any]:
    """What a token says of itself, which proves nothing."""
    try:
        header = jws.extract_compact(token.encode(), registry=_REGISTRY).protected
    except (JoseError, ValueError, AttributeError, RecursionError):
        raise Refused("form") from None
    if not isinstance(header, dict):
        raise Refused("form")
    return header


def _checks(claims: Claims, expected: Expected, *, now: datetime) -> dict[str, bool]:
    """Each check by the word for it."""
    audiences, mine = claims.audiences, expected.client_id
    moment, leeway = now.timestamp(), LEEWAY.total_seconds()
    return {
        "issuer": claims.iss == expected.issuer,
        "audience": mine in audiences,
        "authorized party": claims.azp == mine or claims.azp is None and len(audiences) == 1,
        "expired": moment - leeway < claims.exp,
        # How old it is says nothing: some providers date back, and nonce and code bind it to the flow.
        "issued": claims.iat <= moment + leeway,
        "not yet": claims.nbf is None or claims.nbf <= moment + leeway,
        "nonce": hmac.compare_digest(claims.nonce.encode(), expected.nonce.encode()),
    }
