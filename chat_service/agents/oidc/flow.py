"""A flow: what is remembered between sending somebody to the provider and his coming back. Pure.

It is a sealed text that the page keeps and the provider never sees, so that nothing is stored here. The
`state` that travels with the browser is the hash of that text: one fits no other.
"""

import hmac
import secrets
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final
from uuid import UUID

from joserfc.errors import JoseError
from pydantic import BaseModel, ConfigDict

from chat_service.schema import WorkspaceId
from chat_service.tokens import Keys

LIFETIME: Final = timedelta(minutes=10)
SEAL: Final = "oidc flow"
BYTES: Final = 32


class Purpose(StrEnum):
    """What somebody is sent to the provider for."""

    SIGN_IN = "sign_in"
    LINK = "link"
    INVITATION = "invitation"


class Flow(BaseModel):
    """One way to the provider and back."""

    model_config = ConfigDict(frozen=True)

    workspace_id: WorkspaceId
    purpose: Purpose
    concerns: UUID | None
    """The agent who links an account, or the link of an invitation."""
    nonce: str
    verifier: str
    """Shown to the provider with the code alone (PKCE, RFC 7636)."""
    asked_at: datetime

    @property
    def challenge(self) -> str:
        """What the provider is told of the verifier before (S256)."""
        return _hash(self.verifier)

    def has_ended(self, *, now: datetime) -> bool:
        """Whether it took too long."""
        return now > self.asked_at + LIFETIME


def new_flow(
    workspace_id: WorkspaceId, purpose: Purpose, concerns: UUID | None, *, now: datetime
) -> Flow:
    """A flow with secrets of its own."""
    return Flow(
        workspace_id=workspace_id,
        purpose=purpose,
        concerns=concerns,
        nonce=secrets.token_urlsafe(BYTES),
        verifier=secrets.token_urlsafe(BYTES),
        asked_at=now,
    )


def seal(keys: Keys, flow: Flow) -> str:
    """The text of a flow, which only this installation can read."""
    return keys.seal(SEAL, flow.model_dump_json())


def state_of(sealed: str) -> str:
    """The `state` that belongs to the text of a flow."""
    return _hash(sealed)


def unseal(keys: Keys, sealed: str, *, state: str) -> Flow | None:
    """Read the text of a flow; None where it is none of ours, or the state is that of another."""
    if not hmac.compare_digest(state_of(sealed).encode(), state.encode()):
        return None
    try:
        return Flow.model_validate_json(keys.unseal(SEAL, sealed))
    except (JoseError, ValueError):
        return None


def _hash(text: str) -> str:
    return urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()
