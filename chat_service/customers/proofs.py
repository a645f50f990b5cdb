"""Identity tokens that were shown: each belongs to the first device that shows it.

A copy of a token, taken on its way, is worth nothing on another device; the same device may show it
again, as after a lost answer. Rows are removed when they can be of no more use.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.customers.identity import Identity
from chat_service.model import ShownProof, table_of
from chat_service.schema import WorkspaceId

PROOFS: Final = table_of(ShownProof)
REMOVED_AT_ONCE: Final = 100


async def bind(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    identity: Identity,
    device_id: str,
    *,
    now: datetime,
) -> bool:
    """Whether a token is this device's to show: nobody has shown it before, or it has."""
    await _remove_old(db, workspace_id, now)
    row = {
        "workspace_id": workspace_id,
        "token_hash": identity.digest,
        "device_id": device_id,
        "expires_at": identity.expires_at,
    }
    insert = (
        insert_postgres if (await db.connection()).dialect.name == "postgresql" else insert_sqlite
    )
    await db.execute(insert(PROOFS).values(row).on_conflict_do_nothing())
    shown_by = select(PROOFS.c.device_id).where(
        PROOFS.c.workspace_id == workspace_id, PROOFS.c.token_hash == identity.digest
    )
    return await db.scalar(shown_by) == device_id


async def _remove_old(db: AsyncSession, workspace_id: WorkspaceId, now: datetime) -> None:
    """Remove some that have expired. Those that another transaction is removing are left to it."""
    old = (
        select(PROOFS.c.token_hash)
        .where(PROOFS.c.workspace_id == workspace_id, PROOFS.c.expires_at <= now)
        .order_by(PROOFS.c.expires_at)
        .limit(REMOVED_AT_ONCE)
        .with_for_update(key_share=True, skip_locked=True)
    )
    mine = PROOFS.c.workspace_id == workspace_id
    await db.execute(delete(PROOFS).where(mine, PROOFS.c.token_hash.in_(old)))
