"""Tries at passwords, codes and links: rows, so that the limits hold over all processes.

A try is counted before the password is looked at, under the lock of its row, so that any number at
once count exactly; a right password takes its own try back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service import metrics
from chat_service.agents.gate import Subject
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import Target
from chat_service.errors import TooManyTries
from chat_service.limits.policies import LEFT_FIELD, POLICY_FIELD
from chat_service.model import SignInAttempts
from chat_service.schema import Outcome, WorkspaceId

NOWHERE: Final = WorkspaceId(UUID(int=0))
"""Where tries are counted against a workspace that does not exist, and those of all workspaces together."""


async def admit(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    limits: Sequence[Subject],
    *,
    act: Act,
    now: datetime,
    target: Target | None = None,
) -> TooManyTries | None:
    """Count one try against each limit; where one is reached, count none and give the refusal.

    It is given and not raised, since that the `act` was refused is audited, once in a window, and
    has to be committed. Whoever calls raises it after that.
    """
    moment = now.timestamp()
    rows = await _found(db, workspace_id, limits)
    full = _full(rows, limits, moment)
    if full is None:
        # Only where a try is left is the lock needed, under which it is counted exactly.
        rows = await _locked(db, workspace_id, limits)
        full = _full(rows, limits, moment)
    if full is None:
        for limit in limits:
            rows[limit.name].tries = [*_recent(rows[limit.name], limit, moment), moment]
        return None
    if await _is_first(db, workspace_id, full, moment):
        audit.record(
            db,
            workspace_id,
            audit.NOBODY,
            act,
            now=now,
            target=target,
            outcome=Outcome.REFUSED,
        )
    metrics.SIGN_INS_TOO_MANY.inc()
    oldest = _recent(rows[full.name], full, moment)[-full.tries]
    return _refusal(full, int(oldest + full.seconds - moment) + 1)


def _refusal(limit: Subject, wait: int) -> TooManyTries:
    """What is told of a limit that is reached; in `wait` seconds the next try counts."""
    told: dict[str, Any] = {
        "policy": limit.policy,
        "limit": limit.tries,
        "window_seconds": limit.seconds,
        "retry_after": wait,
    }
    headers = {
        "Retry-After": str(wait),
        POLICY_FIELD: f'"{limit.policy}";q={limit.tries};w={limit.seconds}',
        LEFT_FIELD: f'"{limit.policy}";r=0;t={wait}',
    }
    detail = f"At most {limit.tries} tries in {limit.seconds} s; try again in {wait} s"
    return TooManyTries(detail, headers=headers, **told)


def _full(
    rows: Mapping[str, SignInAttempts], limits: Sequence[Subject], moment: float
) -> Subject | None:
    """The first limit that is reached."""
    for limit in limits:
        if limit.name in rows and len(_recent(rows[limit.name], limit, moment)) >= limit.tries:
            return limit
    return None


def _recent(row: SignInAttempts, limit: Subject, moment: float) -> list[float]:
    return [tried for tried in row.tries if tried > moment - limit.seconds]


async def _is_first(
    db: AsyncSession, workspace_id: WorkspaceId, limit: Subject, moment: float
) -> bool:
    """Whether this is the first refusal of a window, which is noted in a row of its own.

    Most are not, and those lock and write nothing. Each workspace is told for itself.
    """
    told = replace(limit, name=f"told-{limit.name}", everywhere=False)
    for row in (await _found(db, workspace_id, [told])).values():
        if _recent(row, told, moment):
            return False
    (noted,) = (await _locked(db, workspace_id, [told])).values()
    if _recent(noted, told, moment):
        return False
    noted.tries = [moment]
    return True


async def take_back(
    db: AsyncSession, workspace_id: WorkspaceId, limits: Sequence[Subject], *, counted_at: datetime
) -> None:
    """Forget the try counted at that moment: the password was right."""
    for row in (await _locked(db, workspace_id, limits)).values():
        kept = list(row.tries)
        if counted_at.timestamp() in kept:
            kept.remove(counted_at.timestamp())
        row.tries = kept


async def _found(
    db: AsyncSession, workspace_id: WorkspaceId, limits: Sequence[Subject]
) -> dict[str, SignInAttempts]:
    """The rows of limits that are there, by name, without a lock."""
    row = SignInAttempts
    places = [_place(workspace_id, limit) for limit in limits]
    named = [and_(row.workspace_id == where, row.subject == name) for where, name in places]
    return {each.subject: each for each in await db.scalars(select(row).where(or_(*named)))}


async def _locked(
    db: AsyncSession, workspace_id: WorkspaceId, limits: Sequence[Subject]
) -> dict[str, SignInAttempts]:
    """The rows of limits by name, under their locks and made where they are missing.

    In the order of their keys, so that whoever waits for one holds none that comes after it.
    """
    insert = insert_sqlite if db.get_bind().dialect.name == "sqlite" else insert_postgres
    places = sorted(_place(workspace_id, limit) for limit in limits)
    rows = [{"workspace_id": where, "subject": name, "tries": []} for where, name in places]
    # What is there is written as it is, for that locks it in the same statement.
    locking = (
        insert(SignInAttempts)
        .values(rows)
        .on_conflict_do_update(
            index_elements=[SignInAttempts.workspace_id, SignInAttempts.subject],
            set_={"tries": SignInAttempts.tries},
        )
        .returning(SignInAttempts)
    )
    found = await db.scalars(locking, execution_options={"populate_existing": True})
    return {row.subject: row for row in found}


def _place(workspace_id: WorkspaceId, limit: Subject) -> tuple[WorkspaceId, str]:
    """The key of a limit's row."""
    return NOWHERE if limit.everywhere else workspace_id, limit.name
