"""Tries at passwords, codes and links: rows, so that the limits hold over all processes.

A try is counted before the password is looked at, under the lock of its row, so that any number at
once count exactly; a right password takes its own try back. Until then it is pending: it leaves no
place to others, who are told to wait and not that too much was wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service import metrics
from chat_service.agents.gate import Subject
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import Target
from chat_service.errors import Overloaded, TooManyTries
from chat_service.limits.policies import LEFT_FIELD, POLICY_FIELD
from chat_service.model import SignInAttempts
from chat_service.schema import Outcome, WorkspaceId

NOWHERE: Final = WorkspaceId(UUID(int=0))
"""Where tries are counted against a workspace that does not exist, and those of all workspaces together."""

DECIDED_SECONDS: Final = 30.0
"""How long a try may be pending; after that its process is dead, and it counts as failed."""
SWEPT_AT_ONCE: Final = 20
"""How many old rows go at most where one is made."""


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
    full = await _count(db, workspace_id, limits, now)
    if full is None:
        return None
    return await _refuse(db, workspace_id, full, act=act, now=now, target=target)


async def count(
    db: AsyncSession, workspace_id: WorkspaceId, limit: Subject, *, now: datetime
) -> bool:
    """Count one more, of what is refused silently; False where the limit is reached."""
    return await _count(db, workspace_id, [limit], now) is None


async def reserve(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    limits: Sequence[Subject],
    *,
    act: Act,
    now: datetime,
    target: Target | None = None,
) -> TooManyTries | Overloaded | None:
    """The same for a try that is decided later, by `take_back` or `fail`.

    Overloaded where fewer have failed than may, and the others are not decided yet.
    """
    full = await _count(db, workspace_id, limits, now, pending=True)
    if full is None:
        return None
    if len(full.failed) < full.limit.tries:
        return Overloaded("Others are being let in from here; try again at once")
    return await _refuse(db, workspace_id, full, act=act, now=now, target=target)


@dataclass(frozen=True, slots=True)
class _Full:
    """A limit that is reached, and when those tries were that count as failed."""

    limit: Subject
    failed: list[float]


async def _count(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    limits: Sequence[Subject],
    now: datetime,
    *,
    pending: bool = False,
) -> _Full | None:
    """Count a try, or tell which limit is reached."""
    moment = now.timestamp()
    there = await _found(db, workspace_id, limits)
    full = _full(there, limits, moment)
    if full is not None:
        return full
    # Only where a try is left is the lock needed, under which it is counted exactly.
    rows = await _locked(db, workspace_id, limits, now=now)
    full = _full(rows, limits, moment)
    if full is None:
        for limit in limits:
            row = rows[limit.name]
            row.tries = [*_recent(row, limit, moment), moment]
            row.pending = [*_undecided(row, moment), *([moment] if pending else [])]
            row.until = max(row.until, now + timedelta(seconds=limit.seconds))
        if len(there) < len(rows):
            await _sweep(db, {row.workspace_id for row in rows.values()}, now=now)
    return full


async def _refuse(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    full: _Full,
    *,
    act: Act,
    now: datetime,
    target: Target | None,
) -> TooManyTries:
    """The refusal of a limit that is reached, audited if it is the first."""
    limit, moment = full.limit, now.timestamp()
    if await _is_first(db, workspace_id, limit, now=now):
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
    return _refusal(limit, int(full.failed[-limit.tries] + limit.seconds - moment) + 1)


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
) -> _Full | None:
    """A limit that is reached; by failures before one that is reached by what is being decided."""
    reached = [
        _Full(limit, _failed(rows[limit.name], limit, moment))
        for limit in limits
        if limit.name in rows and len(_recent(rows[limit.name], limit, moment)) >= limit.tries
    ]
    return max(reached, key=lambda full: len(full.failed) >= full.limit.tries, default=None)


def _recent(row: SignInAttempts, limit: Subject, moment: float) -> list[float]:
    return [tried for tried in row.tries if tried > moment - limit.seconds]


def _undecided(row: SignInAttempts, moment: float) -> list[float]:
    return [tried for tried in row.pending if tried > moment - DECIDED_SECONDS]


def _failed(row: SignInAttempts, limit: Subject, moment: float) -> list[float]:
    return _without(_recent(row, limit, moment), *_undecided(row, moment))


def _without(moments: Sequence[float], *gone: float) -> list[float]:
    """Moments without those, each once: two tries may have come at the same."""
    kept = list(moments)
    for each in gone:
        if each in kept:
            kept.remove(each)
    return kept


async def _is_first(
    db: AsyncSession, workspace_id: WorkspaceId, limit: Subject, *, now: datetime
) -> bool:
    """Whether this is the first refusal of a window, which is noted in a row of its own.

    Most are not, and those lock and write nothing. Each workspace is told for itself.
    """
    moment = now.timestamp()
    told = replace(limit, name=f"told-{limit.name}", everywhere=False)
    for row in (await _found(db, workspace_id, [told])).values():
        if _recent(row, told, moment):
            return False
    (noted,) = (await _locked(db, workspace_id, [told], now=now)).values()
    if _recent(noted, told, moment):
        return False
    noted.tries, noted.until = [moment], now + timedelta(seconds=told.seconds)
    return True


async def take_back(
    db: AsyncSession, workspace_id: WorkspaceId, limits: Sequence[Subject], *, counted_at: datetime
) -> None:
    """Forget the try counted at that moment: it was right, or nothing was looked at."""
    moment = counted_at.timestamp()
    for row in (await _locked(db, workspace_id, limits, now=counted_at)).values():
        row.tries, row.pending = _without(row.tries, moment), _without(row.pending, moment)


async def fail(
    db: AsyncSession, workspace_id: WorkspaceId, limits: Sequence[Subject], *, counted_at: datetime
) -> None:
    """Let the try reserved at that moment count: it was wrong."""
    for row in (await _locked(db, workspace_id, limits, now=counted_at)).values():
        row.pending = _without(row.pending, counted_at.timestamp())


async def _found(
    db: AsyncSession, workspace_id: WorkspaceId, limits: Sequence[Subject]
) -> dict[str, SignInAttempts]:
    """The rows of limits that are there, by name, without a lock."""
    row = SignInAttempts
    places = [_place(workspace_id, limit) for limit in limits]
    named = [and_(row.workspace_id == where, row.subject == name) for where, name in places]
    return {each.subject: each for each in await db.scalars(select(row).where(or_(*named)))}


async def _locked(
    db: AsyncSession, workspace_id: WorkspaceId, limits: Sequence[Subject], *, now: datetime
) -> dict[str, SignInAttempts]:
    """The rows of limits by name, under their locks and made where they are missing.

    In the order of their keys, so that whoever waits for one holds none that comes after it.
    """
    insert = insert_sqlite if db.get_bind().dialect.name == "sqlite" else insert_postgres
    places = sorted(_place(workspace_id, limit) for limit in limits)
    rows = [
        {"workspace_id": where, "subject": name, "tries": [], "pending": [], "until": now}
        for where, name in places
    ]
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


async def _sweep(db: AsyncSession, places: set[WorkspaceId], *, now: datetime) -> None:
    """Delete some rows that say nothing any more: more than were made, and none that is in use."""
    row = SignInAttempts
    await db.flush()
    for where in sorted(places):
        old = select(row.subject).where(row.workspace_id == where, row.until < now)
        few = old.order_by(row.until).limit(SWEPT_AT_ONCE).with_for_update(skip_locked=True)
        if names := (await db.scalars(few)).all():
            gone = delete(row).where(row.workspace_id == where, row.subject.in_(names))
            await db.execute(gone, execution_options={"synchronize_session": False})


def _place(workspace_id: WorkspaceId, limit: Subject) -> tuple[WorkspaceId, str]:
    """The key of a limit's row."""
    return NOWHERE if limit.everywhere else workspace_id, limit.name
