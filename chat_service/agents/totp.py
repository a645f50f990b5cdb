"""Codes of a second factor: TOTP (RFC 6238) and recovery codes. Pure.

A code of the authenticator is good for its step of 30 seconds and the ones beside it, and once: the
newest step that was used is remembered. A recovery code is good once too, and has 79 random bits.
"""

import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import pyotp

from chat_service.tokens import hash_secret

STEP_SECONDS: Final = 30
BESIDE: Final = (-1, 0, 1)
RECOVERY_CODES: Final = 10
ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what looks alike on paper."""
GROUPS: Final = 6
ISSUER: Final = "chat-service"


def new_totp_secret() -> str:
    """160 random bits in base 32, as RFC 4226 recommends."""
    return pyotp.random_base32()


def otpauth_uri(secret: str, email: str) -> str:
    """What an authenticator reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def matching_step(secret: str, code: str, *, used: int | None, now: datetime) -> int | None:
    """The step whose code this is, if it is near and newer than the one `used` last; else None."""
    totp = pyotp.TOTP(secret, interval=STEP_SECONDS)
    present = int(now.timestamp()) // STEP_SECONDS
    given, found = code.encode(), None
    for step in (present + each for each in BESIDE):
        same = hmac.compare_digest(totp.generate_otp(step).encode(), given)
        if same and (used is None or step > used):
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Ten codes as they are shown, once: `abcd-efgh-jkmn-pqrs-tuvw-xyz2`, more than 112 bits each."""
    return [
        "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(GROUPS))
        for _ in range(RECOVERY_CODES)
    ]


def plain(code: str) -> str:
    """A code as somebody typed it, without spaces, hyphens and capitals."""
    return "".join(code.split()).replace("-", "").lower()


def stored(code: str) -> str:
    """What the database knows of a recovery code."""
    return hash_secret(plain(code)).hex()


def without(code: str, left: Sequence[str]) -> list[str] | None:
    """The stored recovery codes that are left when this one was used; None if it is none of them."""
    given = stored(code)
    rest = [each for each in left if not hmac.compare_digest(each, given)]
    return rest if len(rest) < len(left) else None
