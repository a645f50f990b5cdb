"""Whether an identity token proves who a visitor is (RFC 7519, RFC 8725). Pure: no I/O, no clock.

Owns which tokens are believed. That one is shown by a single device is kept by `proofs`; what an
identity opens is decided by `intake.identification`.
"""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from joserfc.jwk import OctKey, OKPKey
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode
from pydantic import BaseModel, ConfigDict, Field

from chat_service.errors import FieldError, InvalidIdentity
from chat_service.schema import KeyAlgorithm
from chat_service.transport import Email, Name

LIVES_AT_MOST: Final = timedelta(minutes=5)
LEEWAY: Final = timedelta(seconds=60)
"""By how much the host site's clock may be wrong."""
FORM: Final = re.compile(rb"([\w-]{2,512})\.([\w-]{2,4096})\.([\w-]{2,128})", re.ASCII)
Seconds = Annotated[float, Field(ge=0, le=32_503_680_000)]
"""Since 1970, up to the year 3000."""

# An Ed25519 signature is called EdDSA, and since RFC 9864 Ed25519 too.
NAMES: Final = {
    KeyAlgorithm.HS256: frozenset({"HS256"}),
    KeyAlgorithm.ED25519: frozenset({"EdDSA", "Ed25519"}),
}
_REGISTRY: Final = JWSRegistry(algorithms=["HS256", "Ed25519"])
_VERIFIERS: Final = {
    KeyAlgorithm.HS256: _REGISTRY.get_alg("HS256"),
    KeyAlgorithm.ED25519: _REGISTRY.get_alg("Ed25519"),
}


@dataclass(frozen=True, slots=True)
class SiteKey:
    """A live key of the inbox that is asked, and the one algorithm it is for."""

    kid: str
    algorithm: KeyAlgorithm
    key: OctKey | OKPKey


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, by the word of the host site. What it does not say is None."""

    external_id: str
    name: str | None
    email: str | None
    email_verified: bool
    expires_at: datetime
    """When the token is refused by everybody."""
    digest: bytes
    """SHA-256 of what was signed, by which the token is known again however it is written."""


class _Header(BaseModel):
    """All that a header may say: nothing in it chooses or brings a key but the `kid`."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    alg: Literal["HS256", "EdDSA", "Ed25519"]
    kid: Annotated[str, Field(min_length=1, max_length=64)]
    typ: Literal["JWT", "jwt"] | None = None


class _Claims(BaseModel):
    """What is read of the claims; others are of no concern here (RFC 7519, section 4)."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, allow_inf_nan=False)

    sub: Name
    aud: str
    iat: Seconds
    exp: Seconds
    nbf: Seconds | None = None
    name: Name | None = None
    email: Email | None = None
    email_verified: bool | None = None


def verify(token: str, keys: Collection[SiteKey], *, audience: str, now: datetime) -> Identity:
    """Who an identity token speaks of; raises InvalidIdentity, the same for whatever is wrong.

    `keys` are the live ones of the inbox, `audience` is its public key `ib_…`.
    """
    try:
        return _verify(token.encode(), keys, audience=audience, now=now)
    except ValueError as error:  # of the validator and of the decoding
        raise refused() from error


def refused() -> InvalidIdentity:
    """The one answer to every token that is not believed."""
    detail = "does not prove who the visitor is"
    return InvalidIdentity(errors=[FieldError("/identity_token", InvalidIdentity.code, detail)])


def _verify(token: bytes, keys: Collection[SiteKey], *, audience: str, now: datetime) -> Identity:
    parts = FORM.fullmatch(token)
    if parts is None:
        raise ValueError("not of the form of a token")
    signed = parts[1] + b"." + parts[2]
    header = _Header.model_validate_json(urlsafe_b64decode(parts[1]))
    key = next((each for each in keys if each.kid == header.kid), None)
    # The key's own algorithm checks the signature, whatever the header calls it.
    if key is None or header.alg not in NAMES[key.algorithm]:
        raise ValueError("no such key for this algorithm")
    if not _VERIFIERS[key.algorithm].verify(signed, urlsafe_b64decode(parts[3]), key.key):
        raise ValueError("the signature is wrong")
    claims = _Claims.model_validate_json(urlsafe_b64decode(parts[2]))
    if claims.aud != audience:
        raise ValueError("meant for another inbox")
    _check_times(claims, now)
    return Identity(
        external_id=claims.sub,
        name=claims.name,
        email=claims.email,
        email_verified=bool(claims.email and claims.email_verified),
        expires_at=_moment(claims.exp) + LEEWAY,
        digest=hashlib.sha256(signed).digest(),
    )


def _check_times(claims: _Claims, now: datetime) -> None:
    """Raises ValueError for a token that lives too long, does not live yet, or not any more."""
    lives = timedelta(seconds=claims.exp) - timedelta(seconds=claims.iat)
    begins = max(claims.iat, claims.nbf or 0)
    if not timedelta() < lives <= LIVES_AT_MOST:
        raise ValueError("lives too long")
    if _moment(begins) > now + LEEWAY or _moment(claims.exp) + LEEWAY <= now:
        raise ValueError("not at this time")


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def site_key(kid: str, algorithm: KeyAlgorithm, material: Any) -> SiteKey:
    """A key as it checks signatures: `material` is the secret's text, or the public key as JWK."""
    if algorithm is KeyAlgorithm.HS256:
        return SiteKey(kid, algorithm, OctKey.import_key(str(material)))
    return SiteKey(kid, algorithm, OKPKey.import_key(material))
