"""The tokens of customers: families of refresh tokens, each one row, bound to a device where one is named.

A family ends by signing out, by the use of a stolen copy, and whenever who its holder is changes.
"""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import NOBODY, Target
from chat_service.config import Auth
from chat_service.customers.services import refuse_blocked
from chat_service.errors import InvalidGrant
from chat_service.model import Customer, Token
from chat_service.revocations import end_tokens
from chat_service.schema import Outcome, TokenId, TokenKind, new_id
from chat_service.tokens import Refresh


async def begin_family(
    db: AsyncSession,
    customer: Customer,
    config: Auth,
    *,
    device_id: str | None = None,
    now: datetime,
) -> Refresh:
    """The first refresh token of a new family; with a `device_id` only that device may renew it."""
    token = Token(
        workspace_id=customer.workspace_id,
        id=TokenId(new_id()),
        kind=TokenKind.CUSTOMER,
        customer_id=customer.id,
        scopes=[],
        generation=0,
        device_id=device_id,
        created_at=now,
        expires_at=now + timedelta(seconds=config.refresh_token_seconds),
    )
    db.add(token)
    await db.flush()
    return Refresh(customer.workspace_id, token.id, 1)


async def same_family(
    db: AsyncSession, customer: Customer, family: TokenId, device_id: str
) -> Refresh | None:
    """The refresh token of a customer's living family that is to be used next, on its device."""
    query = select(Token.generation).where(
        Token.workspace_id == customer.workspace_id,
        Token.id == family,
        Token.customer_id == customer.id,
        Token.device_id == device_id,
        Token.revoked_at.is_(None),
    )
    generation = (await db.scalars(query)).one_or_none()
    if generation is None:
        return None
    return Refresh(customer.workspace_id, family, generation + 1)


async def refresh(
    db: AsyncSession, given: Refresh, config: Auth, *, device_id: str | None = None, now: datetime
) -> tuple[Customer, Refresh] | None:
    """Renew by a refresh token: the customer and the token's successor.

    A token stays good until its successor was used, and gives the same successor each time, so a
    lost answer or a second tab signs nobody out. An older one is a stolen copy: the family ends and
    the answer is None, which the route refuses after the commit. Raises InvalidGrant, also for
    another device, which ends nothing, and CustomerBlocked.
    """
    token = await _lock_family(db, given)
    if token.device_id not in (None, device_id):
        raise InvalidGrant("The token belongs to another device")
    query = select(Customer).where(
        Customer.workspace_id == token.workspace_id, Customer.id == token.customer_id
    )
    customer = (await db.scalars(query)).one()
    refuse_blocked(customer, now=now)
    if token.revoked_at is not None or token.expires_at is None or token.expires_at <= now:
        raise InvalidGrant()
    if given.generation < token.generation:
        stolen = Token.id == token.id
        await end_tokens(db, token.workspace_id, stolen, actor=NOBODY, now=now)
        audit.record(
            db,
            token.workspace_id,
            NOBODY,
            Act.REFRESH_REUSED,
            now=now,
            target=Target("customer", str(token.customer_id)),
            outcome=Outcome.REFUSED,
        )
        return None
    if given.generation > token.generation + 1:
        raise InvalidGrant()
    token.generation = given.generation
    token.expires_at = now + timedelta(seconds=config.refresh_token_seconds)
    return customer, Refresh(given.workspace_id, given.family, given.generation + 1)


async def _lock_family(db: AsyncSession, given: Refresh) -> Token:
    query = select(Token).where(
        Token.workspace_id == given.workspace_id,
        Token.id == given.family,
        Token.kind == TokenKind.CUSTOMER,
    )
    token = (await db.scalars(query.with_for_update(key_share=True))).one_or_none()
    if token is None:
        raise InvalidGrant()
    return token
