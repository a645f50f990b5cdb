"""A visitor shows who he is: who he becomes, and what of his moves there.

Only the history of an unverified visitor joins a verified customer, and only by proof. One verified
customer never becomes another. Leaves which proof is good to `customers.identity`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from joserfc.errors import JoseError
from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service import metrics
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import NOBODY, Target
from chat_service.auth import Caller
from chat_service.config import Auth
from chat_service.customers import families, identity, proofs, queries, services
from chat_service.customers.identity import Identity, SiteKey
from chat_service.errors import InvalidIdentity
from chat_service.events import log
from chat_service.events.schema import CustomerMerged
from chat_service.inboxes.queries import inbox_key
from chat_service.inboxes.signing import keys as signing
from chat_service.model import Customer, Inbox, Token
from chat_service.revocations import end_tokens
from chat_service.schema import Actor, AuthorType, Outcome
from chat_service.sessions.handover import hand_over
from chat_service.tokens import Keys, Refresh

log_lines = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Visit:
    """A visitor at an inbox, and what he shows there."""

    inbox: Inbox
    caller: Caller | None
    """The customer in whose name the request was sent, if any."""
    token: str
    device_id: str
    name: str | None
    email: str | None
    """What he says of himself; it counts where the token says nothing."""
    now: datetime
    is_news: Callable[[], bool]
    """Whether it is audited that this visit is refused; asked only then."""


async def identify(
    db: AsyncSession, visit: Visit, *, keys: Keys, config: Auth
) -> tuple[Customer, Refresh] | None:
    """The verified customer of a visitor's identity token, and the refresh token that is next.

    None where the token is not believed, which the route refuses after the commit. Raises
    CustomerBlocked.
    """
    found = await _proven(db, visit, keys)
    if found is None:
        _note_refusal(db, visit)
        return None
    caller = await _living(db, visit)
    customer, changed = await _customer_of(db, visit, caller, found)
    changed += _believe(customer, found)
    actor = Actor(AuthorType.CUSTOMER, customer.id)
    if changed:
        services.note_changes(db, customer, changed, actor=actor, now=visit.now)
    if caller is not None and (caller.customer_id != customer.id or "verified" in changed):
        await _end(db, visit, Token.id == caller.token_id, actor)
    elif caller is not None:
        going_on = await families.same_family(db, customer, caller.token_id, visit.device_id)
        if going_on is not None:
            return customer, going_on
    _audit(db, visit, Act.CUSTOMER_IDENTIFIED, Target("customer", customer.id), actor=actor)
    return customer, await families.begin_family(
        db, customer, config, device_id=visit.device_id, now=visit.now
    )


async def _proven(db: AsyncSession, visit: Visit, keys: Keys) -> Identity | None:
    """Who the token speaks of, if it is good and this device's to show."""
    inbox = visit.inbox
    site_keys: list[SiteKey] = []
    for row in await signing.live(db, inbox.workspace_id, inbox.id):
        try:
            material = signing.material_of(row, keys)
        except JoseError:
            log_lines.warning("inbox_key_not_readable", kid=row.id.hex)
            continue
        site_keys.append(identity.site_key(row.id.hex, row.algorithm, material))
    try:
        found = identity.verify(visit.token, site_keys, audience=inbox_key(inbox), now=visit.now)
    except InvalidIdentity:
        return None
    own = await proofs.bind(db, inbox.workspace_id, found, visit.device_id, now=visit.now)
    return found if own else None


async def _living(db: AsyncSession, visit: Visit) -> Caller | None:
    """The caller, if he is a customer of this inbox whose tokens have not ended."""
    caller, inbox = visit.caller, visit.inbox
    if caller is None or (caller.workspace_id, caller.inbox_id) != (inbox.workspace_id, inbox.id):
        return None
    query = select(Token.id).where(
        Token.workspace_id == caller.workspace_id,
        Token.id == caller.token_id,
        Token.revoked_at.is_(None),
    )
    return caller if await db.scalar(query) is not None else None


async def _customer_of(
    db: AsyncSession, visit: Visit, caller: Caller | None, found: Identity
) -> tuple[Customer, list[str]]:
    """The customer of an identity under his lock, and what of him changed by becoming it."""
    known = await queries.id_by_external_id(db, visit.inbox, found.external_id)
    if known is None:
        first = await _first(db, visit, caller, found)
        if first is not None:
            return first, ["verified"]
        known = await queries.id_by_external_id(db, visit.inbox, found.external_id)
    before = caller.customer_id if caller is not None else None
    ids = [each for each in (known, before) if each is not None]
    rows = await queries.lock_all(db, visit.inbox.workspace_id, ids)
    customer = next(row for row in rows if row.id == known)
    services.refuse_blocked(customer, now=visit.now)
    visitors = [row for row in rows if row.id != known and _is_unverified(row, visit)]
    moved = [await _merge(db, visit, visitor, customer) for visitor in visitors]
    return customer, [name for names in moved for name in names]


async def _first(
    db: AsyncSession, visit: Visit, caller: Caller | None, found: Identity
) -> Customer | None:
    """The visitor himself becomes the customer of an identity that nobody has yet, or a new one does.

    None where somebody else was faster; what was locked is free again then.
    """
    try:
        async with db.begin_nested():
            customer = await _visitor(db, visit, caller)
            if customer is None:
                customer = await services.create(
                    db, visit.inbox, name=visit.name, email=visit.email, now=visit.now
                )
            customer.external_id, customer.verified_at = found.external_id, visit.now
            await db.flush()
    except IntegrityError:
        return None
    return customer


async def _visitor(db: AsyncSession, visit: Visit, caller: Caller | None) -> Customer | None:
    """The row of an unverified caller, locked."""
    if caller is None or caller.customer_id is None:
        return None
    rows = await queries.lock_all(db, caller.workspace_id, [caller.customer_id])
    return rows[0] if _is_unverified(rows[0], visit) else None


def _is_unverified(row: Customer, visit: Visit) -> bool:
    """Whether a customer is a visitor of whom anything may move."""
    is_anybody = row.external_id is not None or row.merged_into is not None
    return not is_anybody and not services.is_blocked(row, now=visit.now)


async def _merge(
    db: AsyncSession, visit: Visit, visitor: Customer, customer: Customer
) -> list[str]:
    """A visitor turned out to be a customer, who has his sessions from now on.

    What the visitor said of himself is kept where nothing is known yet.
    """
    actor = Actor(AuthorType.CUSTOMER, customer.id)
    visitor.merged_into = customer.id
    merged = CustomerMerged(
        workspace_id=customer.workspace_id,
        actor=actor,
        at=visit.now,
        customer_id=visitor.id,
        into=customer.id,
    )
    log.record(db, merged)
    await hand_over(db, visitor, customer, now=visit.now)
    await _end(db, visit, Token.customer_id == visitor.id, actor)
    _audit(db, visit, Act.CUSTOMER_MERGED, Target("customer", visitor.id), actor=actor)
    said = {"name": visitor.name, "email": visitor.email}
    new = [name for name, value in said.items() if value and getattr(customer, name) is None]
    for name in new:
        setattr(customer, name, said[name])
    return new


def _believe(customer: Customer, found: Identity) -> list[str]:
    """Set what the host site says of a customer; tells which fields changed."""
    said: dict[str, object] = {}
    if found.name is not None:
        said["name"] = found.name
    if found.email is not None:
        said |= {"email": found.email, "email_verified": found.email_verified}
    changed = [name for name, value in said.items() if getattr(customer, name) != value]
    for name in changed:
        setattr(customer, name, said[name])
    return changed


async def _end(db: AsyncSession, visit: Visit, which: ColumnElement[bool], actor: Actor) -> None:
    await end_tokens(db, visit.inbox.workspace_id, which, actor=actor, now=visit.now)


def _note_refusal(db: AsyncSession, visit: Visit) -> None:
    """Count it; anybody may have thousands of them, of which the log of acts needs the first."""
    metrics.IDENTITIES_REFUSED.inc()
    if visit.is_news():
        target = Target("inbox", visit.inbox.id)
        _audit(db, visit, Act.CUSTOMER_IDENTIFIED, target, actor=NOBODY, outcome=Outcome.REFUSED)


def _audit(
    db: AsyncSession,
    visit: Visit,
    act: Act,
    target: Target,
    *,
    actor: Actor,
    outcome: Outcome = Outcome.DONE,
) -> None:
    workspace_id = visit.inbox.workspace_id
    audit.record(db, workspace_id, actor, act, now=visit.now, target=target, outcome=outcome)
