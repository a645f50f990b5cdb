"""Keys by which the host site of an inbox vouches for its visitors: made, found, revoked.

Two of an inbox may be live at once, so that a site can change over. A shared secret is shown once and
stored sealed; of a pair of keys only the public one is known here. What is signed with them is for
`customers.identity`.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import Target
from chat_service.errors import FieldError, NotFound, TooMany, ValidationFailed
from chat_service.events import log
from chat_service.events.schema import InboxUpdated
from chat_service.inboxes import queries as inboxes
from chat_service.model import InboxKey
from chat_service.schema import (
    Actor,
    InboxId,
    InboxKeyId,
    KeyAlgorithm,
    TokenId,
    WorkspaceId,
    new_id,
)
from chat_service.tokens import Keys

LIVE_AT_MOST: Final = 2
SECRET_BYTES: Final = 32
PURPOSE: Final = "inbox key"


async def live(db: AsyncSession, workspace_id: WorkspaceId, inbox_id: UUID) -> Sequence[InboxKey]:
    """The keys of an inbox that hold, the oldest first."""
    query = select(InboxKey).where(
        InboxKey.workspace_id == workspace_id,
        InboxKey.inbox_id == inbox_id,
        InboxKey.revoked_at.is_(None),
    )
    return (await db.scalars(query.order_by(InboxKey.created_at, InboxKey.id))).all()


def new_secret() -> str:
    """256 random bits as text."""
    return secrets.token_urlsafe(SECRET_BYTES)


def material_of(key: InboxKey, keys: Keys) -> str | dict[str, str]:
    """What signatures are checked with: the text of the secret, or the public key as JWK.

    Raises JoseError for a secret that was sealed under another key of the installation.
    """
    if key.algorithm is KeyAlgorithm.HS256:
        return keys.unseal(PURPOSE, key.material)
    return dict(orjson.loads(key.material))


async def create(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    inbox_id: UUID,
    algorithm: KeyAlgorithm,
    *,
    public_key: dict[str, str] | None,
    keys: Keys,
    actor: Actor,
    now: datetime,
    token_id: TokenId | None = None,
) -> tuple[InboxKey, str | None]:
    """A new key, and of HS256 its secret: given here, and never again.

    The characters of the secret are the key, as they stand. Raises NotFound, TooMany, and
    ValidationFailed where a public key is missing or out of place.
    """
    inbox = await inboxes.access_by_id(db, workspace_id, inbox_id, lock=True)
    if len(await live(db, workspace_id, inbox.id)) >= LIVE_AT_MOST:
        raise TooMany(f"An inbox has at most {LIVE_AT_MOST} keys; revoke one first")
    secret = None
    if algorithm is KeyAlgorithm.HS256:
        _refuse(
            public_key is not None, "reserved", "is not given with HS256: its secret is made here"
        )
        secret = new_secret()
        material = keys.seal(PURPOSE, secret)
    else:
        _refuse(public_key is None, "missing", "EdDSA needs the public key")
        material = orjson.dumps(public_key).decode()
    key = InboxKey(
        workspace_id=workspace_id,
        id=InboxKeyId(new_id()),
        inbox_id=inbox.id,
        algorithm=algorithm,
        material=material,
        created_at=now,
    )
    db.add(key)
    await db.flush()
    _record(db, key, Act.INBOX_KEY_CREATED, actor, now=now, token_id=token_id)
    return key, secret


async def revoke(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    inbox_id: UUID,
    key_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    token_id: TokenId | None = None,
) -> None:
    """End a key: nothing it signed is believed any more. A repeat changes nothing; raises NotFound."""
    await inboxes.access_by_id(db, workspace_id, inbox_id, lock=True)
    query = select(InboxKey).where(
        InboxKey.workspace_id == workspace_id,
        InboxKey.inbox_id == inbox_id,
        InboxKey.id == key_id,
    )
    key = (await db.scalars(query)).one_or_none()
    if key is None:
        raise NotFound()
    if key.revoked_at is None:
        key.revoked_at = now
        _record(db, key, Act.INBOX_KEY_REVOKED, actor, now=now, token_id=token_id)


async def rotate(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    inbox_id: UUID,
    *,
    keys: Keys,
    actor: Actor,
    now: datetime,
) -> tuple[InboxKey, str]:
    """A new shared secret beside the newest key there is; older ones end. Raises NotFound."""
    await inboxes.access_by_id(db, workspace_id, inbox_id, lock=True)
    before = await live(db, workspace_id, inbox_id)
    for old in before[: max(0, len(before) + 1 - LIVE_AT_MOST)]:
        await revoke(db, workspace_id, inbox_id, old.id, actor=actor, now=now)
    await db.flush()
    key, secret = await create(
        db,
        workspace_id,
        inbox_id,
        KeyAlgorithm.HS256,
        public_key=None,
        keys=keys,
        actor=actor,
        now=now,
    )
    return key, str(secret)


def _refuse(wrong: bool, code: str, detail: str) -> None:
    if wrong:
        raise ValidationFailed(errors=[FieldError("/public_key", code, detail)])


def _record(
    db: AsyncSession,
    key: InboxKey,
    act: Act,
    actor: Actor,
    *,
    now: datetime,
    token_id: TokenId | None,
) -> None:
    target = Target("inbox_key", key.id)
    audit.record(db, key.workspace_id, actor, act, now=now, target=target, token_id=token_id)
    updated = InboxUpdated(
        workspace_id=key.workspace_id, actor=actor, at=now, inbox_id=InboxId(key.inbox_id)
    )
    log.record(db, updated)
