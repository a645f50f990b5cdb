"""Make customers and change them: what is known of one, and whether one may chat."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import Target
from chat_service.auth import Caller
from chat_service.errors import CustomerBlocked, EmailVerified, FieldError, ValidationFailed
from chat_service.events import log
from chat_service.events.schema import CustomerBlocked as CustomerWasBlocked
from chat_service.events.schema import CustomerUnblocked, CustomerUpdated
from chat_service.model import Customer, Inbox, Token
from chat_service.revocations import end_tokens
from chat_service.schema import Actor, CustomerId, new_id
from chat_service.transport import rfc3339


async def create(
    db: AsyncSession, inbox: Inbox, *, name: str | None, email: str | None, now: datetime
) -> Customer:
    """A person of an inbox; nothing about him is proven."""
    customer = Customer(
        workspace_id=inbox.workspace_id,
        id=CustomerId(new_id()),
        inbox_id=inbox.id,
        name=name,
        email=email,
        email_verified=False,
        created_at=now,
    )
    db.add(customer)
    await db.flush()
    return customer


def update(
    db: AsyncSession, caller: Caller, customer: Customer, fields: dict[str, Any], *, now: datetime
) -> None:
    """Change name or e-mail of a locked customer by hand, which proves nothing.

    Only real changes are recorded. Raises EmailVerified for another e-mail than the host site's.
    """
    changed = [name for name, value in fields.items() if getattr(customer, name) != value]
    if "email" in changed and customer.email_verified:
        raise EmailVerified()
    for name in changed:
        setattr(customer, name, fields[name])
    if not changed:
        return
    note_changes(db, customer, changed, actor=caller.actor, now=now)
    if not caller.is_customer:
        _audit(db, caller, Act.CUSTOMER_UPDATED, customer, fields=changed, now=now)


def note_changes(
    db: AsyncSession, customer: Customer, changed: list[str], *, actor: Actor, now: datetime
) -> None:
    """Record which fields of a customer have changed."""
    updated = CustomerUpdated(
        workspace_id=customer.workspace_id,
        actor=actor,
        at=now,
        customer_id=customer.id,
        changed=sorted(changed),
    )
    log.record(db, updated)


async def block(
    db: AsyncSession, caller: Caller, customer: Customer, *, until: datetime | None, now: datetime
) -> None:
    """Keep a locked customer from chatting, and end all his tokens; without `until` for good.

    A repeat changes nothing. Raises ValidationFailed for a time that has passed.
    """
    if until is not None and until <= now:
        detail = "must lie in the future"
        raise ValidationFailed(errors=[FieldError("/until", "past", detail)])
    if is_blocked(customer, now=now) and customer.blocked_until == until:
        return
    customer.blocked_at, customer.blocked_until = now, until
    blocked = CustomerWasBlocked(
        workspace_id=customer.workspace_id, actor=caller.actor, at=now, customer_id=customer.id
    )
    # Before the tokens' own events: sockets are told the reason that is read first.
    log.record(db, blocked)
    mine = Token.customer_id == customer.id
    await end_tokens(db, customer.workspace_id, mine, actor=caller.actor, now=now)
    _audit(db, caller, Act.CUSTOMER_BLOCKED, customer, now=now)


def unblock(db: AsyncSession, caller: Caller, customer: Customer, *, now: datetime) -> None:
    """Let a locked customer chat again; his old tokens stay ended. A repeat changes nothing."""
    if not is_blocked(customer, now=now):
        return
    customer.blocked_at = customer.blocked_until = None
    unblocked = CustomerUnblocked(
        workspace_id=customer.workspace_id, actor=caller.actor, at=now, customer_id=customer.id
    )
    log.record(db, unblocked)
    _audit(db, caller, Act.CUSTOMER_UNBLOCKED, customer, now=now)


def is_blocked(customer: Customer, *, now: datetime) -> bool:
    """Whether a customer may not chat now."""
    until = customer.blocked_until
    return customer.blocked_at is not None and (until is None or until > now)


def refuse_blocked(customer: Customer, *, now: datetime) -> None:
    """Refuse a customer who may not chat now; raises CustomerBlocked."""
    if is_blocked(customer, now=now):
        until = customer.blocked_until
        raise CustomerBlocked(until=until and rfc3339(until))


def _audit(
    db: AsyncSession,
    caller: Caller,
    act: Act,
    customer: Customer,
    *,
    fields: list[str] | None = None,
    now: datetime,
) -> None:
    audit.record_by(
        db, caller, act, now=now, target=Target("customer", customer.id), fields=fields or ()
    )
