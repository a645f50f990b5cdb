"""Write an entry, in the transaction of the act it tells of."""

from collections.abc import Collection
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.audit.acts import Act
from chat_service.model import AuditEntry
from chat_service.schema import Actor, AuditId, AuthorType, Outcome, TokenId, WorkspaceId, new_id

NOBODY: Final = Actor(AuthorType.SYSTEM, None)
"""The command line, and whoever has not said who it is."""


@dataclass(frozen=True, slots=True)
class Target:
    """What an act is done to: a noun of the API, and its id."""

    type: str
    id: UUID | str


@dataclass(frozen=True, slots=True)
class Origin:
    """From where a request came."""

    address: str | None
    request_id: str | None


_origin: ContextVar[Origin | None] = ContextVar("where the request came from", default=None)


class Who(Protocol):
    """Whoever has shown a token."""

    @property
    def workspace_id(self) -> WorkspaceId: ...
    @property
    def actor(self) -> Actor: ...
    @property
    def token_id(self) -> TokenId: ...


def came_from(address: str | None, request_id: str) -> None:
    """Let the entries of this request tell from where it came."""
    _origin.set(Origin(address, request_id))


def record(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    actor: Actor,
    act: Act,
    *,
    now: datetime,
    target: Target | None = None,
    fields: Collection[str] = (),
    outcome: Outcome = Outcome.DONE,
    token_id: TokenId | None = None,
) -> None:
    """Note an act; `fields` are names of what it changed, and never values."""
    origin = _origin.get() or Origin(None, None)
    db.add(
        AuditEntry(
            workspace_id=workspace_id,
            id=AuditId(new_id()),
            at=now,
            actor_type=actor.type,
            actor_id=actor.id,
            token_id=token_id,
            action=act,
            outcome=outcome,
            target_type=target and target.type,
            target_id=target and str(target.id),
            fields=sorted(fields),
            address=origin.address,
            request_id=origin.request_id,
        )
    )


def record_by(
    db: AsyncSession,
    who: Who,
    act: Act,
    *,
    now: datetime,
    target: Target | None = None,
    fields: Collection[str] = (),
) -> None:
    """Note an act of somebody who has shown a token, in his own workspace."""
    record(
        db,
        who.workspace_id,
        who.actor,
        act,
        now=now,
        target=target,
        fields=fields,
        token_id=who.token_id,
    )
