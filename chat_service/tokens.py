"""The three kinds of token as texts: made, taken apart, and their signatures checked.

- API key `sk_<workspace>_<id>_<secret>` and agent token `at_<workspace>_<id>_<secret>`: opaque, stored
  as SHA-256.
- Ticket `tk_<workspace>_<id>_<secret>` and one-time link `il_…`: likewise.
- Customer token: a short-lived JWT (HS256, RFC 7519, RFC 8725) with its refresh token
  `rt_<workspace>_<family>_<generation>_<mac>`, derived by HMAC, so that the same old token always
  gives the same successor.

Owns the secret key. Whether a token still holds is known to `auth`.
"""

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import mkstemp
from typing import Any, Final
from uuid import UUID

from joserfc import jwe, jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from chat_service.config import Auth, ConfigError
from chat_service.errors import Unauthenticated
from chat_service.model import Customer
from chat_service.schema import TokenId, WorkspaceId

ISSUER: Final = "chat-service"
AUDIENCE: Final = "chat-service/customer"
SECRET_KEY_BYTES: Final = 32


def load_secret_key(config: Auth) -> bytes:
    """The installation's key: the setting, else its file, made at the first start (0600).

    Raises ConfigError for a file that is no good key, or that cannot be read or made.
    """
    if config.secret_key is not None:
        return config.secret_key.get_secret_value().encode()
    path = Path(config.secret_key_file)
    try:
        if not path.exists():
            _make_key_file(path)
        key = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError([f"auth.secret_key_file: {path}: {error.strerror}"]) from None
    if len(key) < SECRET_KEY_BYTES:
        raise ConfigError([f"auth.secret_key_file: {path} has no key of {SECRET_KEY_BYTES} bytes"])
    return key


def _make_key_file(path: Path) -> None:
    """Make a key, whole or not at all: another process may start at the same moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
        file.flush()
        os.fsync(file.fileno())
    try:
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        os.unlink(name)


def new_secret() -> str:
    """192 random bits for a token."""
    return secrets.token_hex(24)


def hash_secret(secret: str) -> bytes:
    """What is stored of a secret that is itself random."""
    return hashlib.sha256(secret.encode()).digest()


def opaque_token(prefix: str, workspace_id: UUID, row_id: UUID, secret: str) -> str:
    """The text of an agent's token (`at`), an API key (`sk`), a ticket (`tk`) or a link (`il`)."""
    return f"{prefix}_{workspace_id.hex}_{row_id.hex}_{secret}"


@dataclass(frozen=True, slots=True)
class Opaque:
    """The text of an API key, an agent's token, a ticket or a link, taken apart."""

    prefix: str
    workspace_id: WorkspaceId
    id: UUID
    secret: str


def parse_opaque(text: str) -> Opaque:
    """Take such a text apart; raises Unauthenticated where it is none."""
    try:
        prefix, workspace, row_id, secret = text.split("_")
        return Opaque(prefix, WorkspaceId(UUID(workspace)), UUID(row_id), secret)
    except ValueError:
        raise Unauthenticated() from None


@dataclass(frozen=True, slots=True)
class Refresh:
    """A refresh token taken apart."""

    workspace_id: WorkspaceId
    family: TokenId
    generation: int


class Keys:
    """The keys derived from the secret key, one for each purpose."""

    def __init__(self, secret_key: bytes) -> None:
        self._customer = OctKey.import_key(_derive(secret_key, b"customer token"))
        self._refresh = _derive(secret_key, b"refresh token")
        self._secret_key = secret_key

    def customer_token(
        self, customer: Customer, family: TokenId, *, now: datetime, lifetime: timedelta
    ) -> str:
        """An access token for one customer of one inbox."""
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": customer.id.hex,
            "ws": customer.workspace_id.hex,
            "inbox": customer.inbox_id.hex,
            "family": family.hex,
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
        }
        return jwt.encode({"alg": "HS256", "typ": "at+jwt"}, claims, self._customer)

    def claims(self, token: str) -> dict[str, Any]:
        """The claims of a customer token with a good signature; raises Unauthenticated."""
        try:
            decoded = jwt.decode(token, self._customer, algorithms=["HS256"])
            jwt.JWTClaimsRegistry(
                iss={"essential": True, "value": ISSUER},
                aud={"essential": True, "value": AUDIENCE},
                exp={"essential": True},
                leeway=10**10,  # the time is judged at each use, by the service's own clock
            ).validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise Unauthenticated() from error
        if decoded.header.get("typ") != "at+jwt":
            raise Unauthenticated()
        return decoded.claims

    def refresh_token(self, refresh: Refresh) -> str:
        """The text of one generation of a family's refresh tokens."""
        name = f"{refresh.workspace_id.hex}_{refresh.family.hex}_{refresh.generation}"
        mac = hmac.new(self._refresh, name.encode(), hashlib.sha256).hexdigest()
        return f"rt_{name}_{mac}"

    def parse_refresh_token(self, token: str) -> Refresh | None:
        """Take a refresh token apart; None if this service did not make it."""
        try:
            prefix, workspace, family, generation, _ = token.split("_")
            refresh = Refresh(WorkspaceId(UUID(workspace)), TokenId(UUID(family)), int(generation))
        except ValueError:
            return None
        good = self.refresh_token(refresh)
        return refresh if hmac.compare_digest(good.encode(), token.encode()) else None

    def seal(self, purpose: str, text: str) -> str:
        """Encrypt what the database must not hold in clear (RFC 7516, A256GCM)."""
        header = {"alg": "dir", "enc": "A256GCM"}
        return jwe.encrypt_compact(header, text.encode(), self._box(purpose))

    def unseal(self, purpose: str, sealed: str) -> str:
        """Decrypt what `seal` made for the same purpose; raises JoseError for anything else."""
        found = jwe.decrypt_compact(sealed, self._box(purpose), algorithms=["dir", "A256GCM"])
        return (found.plaintext or b"").decode()

    def pseudonym(self, purpose: str, text: str) -> str:
        """What is kept in place of a text to know it again: 128 bits that only the key can check."""
        key = _derive(self._secret_key, b"pseudonym " + purpose.encode())
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]

    def _box(self, purpose: str) -> OctKey:
        return OctKey.import_key(_derive(self._secret_key, b"sealed " + purpose.encode()))


def _derive(secret_key: bytes, purpose: bytes) -> bytes:
    return hmac.new(secret_key, purpose, hashlib.sha256).digest()
