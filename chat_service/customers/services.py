"""Make a customer for an inbox; give and renew tokens."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import NOBODY, Target
from chat_service.auth import end_tokens
from chat_service.config import Auth
from chat_service.errors import InvalidGrant
from chat_service.model import Customer, Inbox, Token
from chat_service.schema import CustomerId, Outcome, TokenId, TokenKind, new_id
from chat_service.tokens import Refresh


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


async def begin_family(
    db: AsyncSession, customer: Customer, config: Auth, *, now: datetime
) -> Refresh:
    """The first refresh token of a new family."""
    token = Token(
        workspace_id=customer.workspace_id,
        id=TokenId(new_id()),
        kind=TokenKind.CUSTOMER,
        customer_id=customer.id,
        scopes=[],
        generation=0,
        created_at=now,
        expires_at=now + timedelta(seconds=config.refresh_token_seconds),
    )
    db.add(token)
    await db.flush()
    return Refresh(customer.workspace_id, token.id, 1)


async def refresh(
    db: AsyncSession, given: Refresh, config: Auth, *, now: datetime
) -> tuple[Customer, Refresh] | None:
    """Renew by a refresh token: the customer and the token's successor.

    A token stays good until its successor was used, and gives the same successor each time, so a
    lost answer or a second tab signs nobody out. An older one is a stolen copy: the family ends and
    the answer is None, which the route refuses after the commit. Raises InvalidGrant.
    """
    token = await _lock_family(db, given)
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
    query = select(Customer).where(
        Customer.workspace_id == token.workspace_id, Customer.id == token.customer_id
    )
    customer = (await db.scalars(query)).one()
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
