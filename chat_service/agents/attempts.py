"""Tries at signing in: rows, so that the limits hold over all processes.

A try is counted before the password is looked at, under the lock of its row, so that any number at
once count exactly; a right password takes its own try back.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service import metrics
from chat_service.config import Auth
from chat_service.errors import TooManyTries
from chat_service.limits.addresses import network_of
from chat_service.model import SignInAttempts
from chat_service.schema import WorkspaceId

NOWHERE: Final = WorkspaceId(UUID(int=0))
"""Where tries against a workspace that does not exist are counted."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a limit counts: at most `tries` in `seconds`."""

    name: str
    tries: int
    seconds: int


def subjects(config: Auth, *, address: str, email: str) -> tuple[Subject, Subject]:
    """The two limits of a try, by address and by account, in the order of their names."""
    return (
        Subject(
            f"account:{_hidden(email)}", config.tries_per_account, config.tries_per_account_seconds
        ),
        Subject(
            f"address:{_hidden(network_of(address))}",
            config.tries_per_address,
            config.tries_per_address_seconds,
        ),
    )


async def count(
    db: AsyncSession, workspace_id: WorkspaceId, limits: Sequence[Subject], *, now: datetime
) -> None:
    """Count one try against each limit; raises TooManyTries with `Retry-After` and counts none."""
    moment = now.timestamp()
    rows = [await _locked(db, workspace_id, limit.name) for limit in limits]
    for row, limit in zip(rows, limits, strict=True):
        recent = [tried for tried in row.tries if tried > moment - limit.seconds]
        if len(recent) >= limit.tries:
            wait = int(recent[-limit.tries] + limit.seconds - moment) + 1
            metrics.SIGN_INS_TOO_MANY.inc()
            raise TooManyTries(headers={"Retry-After": str(wait)})
        row.tries = [*recent, moment]


async def take_back(
    db: AsyncSession, workspace_id: WorkspaceId, limits: Sequence[Subject], *, counted_at: datetime
) -> None:
    """Forget the try counted at that moment: the password was right."""
    for limit in limits:
        row = await _locked(db, workspace_id, limit.name)
        kept = list(row.tries)
        if counted_at.timestamp() in kept:
            kept.remove(counted_at.timestamp())
        row.tries = kept


async def _locked(db: AsyncSession, workspace_id: WorkspaceId, name: str) -> SignInAttempts:
    sqlite = db.get_bind().dialect.name == "sqlite"
    insert = insert_sqlite if sqlite else insert_postgres
    first = insert(SignInAttempts).values(workspace_id=workspace_id, subject=name, tries=[])
    await db.execute(first.on_conflict_do_nothing())
    query = select(SignInAttempts).where(
        SignInAttempts.workspace_id == workspace_id, SignInAttempts.subject == name
    )
    return (await db.scalars(query.with_for_update(key_share=True))).one()


def _hidden(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:32]
