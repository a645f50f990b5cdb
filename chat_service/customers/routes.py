"""Customers: renew the token, see and change what is known of one, block and unblock."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from quart import Blueprint, Response

from chat_service.auth import require
from chat_service.customers import families, queries, services
from chat_service.customers.transport import (
    BlockCustomer,
    CustomerResponse,
    CustomerTokens,
    PatchCustomer,
    RefreshToken,
    customer_view,
    staff_view,
)
from chat_service.errors import CustomerBlocked, EmailVerified, InvalidGrant, NotFound
from chat_service.events.transaction import reading, transaction
from chat_service.limits.policies import Policy
from chat_service.model import Customer
from chat_service.schema import Permission
from chat_service.tokens import Refresh
from chat_service.transport import Empty, Query
from chat_service.web import Who, answer, caller, document, now, parse, query, shared

blueprint = Blueprint("customers", __name__, url_prefix="/v1")
STAFF: Final = Who.AGENT | Who.KEY


@blueprint.post("/auth/token")
@document(
    Who.PUBLIC,
    body=RefreshToken,
    answers={200: CustomerTokens},
    errors=[InvalidGrant, CustomerBlocked],
    pages=True,
    limit=Policy.IDENTITY,
)
async def refresh_token() -> Response:
    """Renew a customer's token. The old refresh token stays good until the new one was used."""
    body, websocket_url = await parse(RefreshToken), shared().site.websocket_url()
    given = shared().keys.parse_refresh_token(body.refresh_token)
    if given is None:
        shared().quotas.count_address(Policy.IDENTITY)
        raise InvalidGrant()
    shared().quotas.count_family(given.family)
    async with transaction() as db:
        renewed = await families.refresh(
            db, given, shared().auth, device_id=body.device_id, now=now()
        )
    if renewed is None:
        raise InvalidGrant("This refresh token was used before; sign in again")
    return answer(customer_tokens(*renewed, websocket_url))


@blueprint.get("/customers/me")
@document(Who.CUSTOMER, answers={200: CustomerResponse})
async def get_own_customer() -> Response:
    """What is known of the customer who calls."""
    query(Query)
    who = await caller()
    async with reading() as db:
        customer = await queries.of_caller(db, who)
    return answer(CustomerResponse(customer=customer_view(customer)))


@blueprint.patch("/customers/me")
@document(
    Who.CUSTOMER,
    body=PatchCustomer,
    answers={200: CustomerResponse},
    errors=[EmailVerified],
)
async def patch_own_customer() -> Response:
    """Tell one's name and e-mail. It is shown as claimed, and opens nothing."""
    body, who = await parse(PatchCustomer), await caller()
    async with transaction() as db:
        customer = await queries.of_caller(db, who, lock=True)
        services.update(db, who, customer, body.model_dump(exclude_unset=True), now=now())
    return answer(CustomerResponse(customer=customer_view(customer)))


@blueprint.get("/customers/<uuid:customer_id>")
@document(STAFF, answers={200: CustomerResponse}, errors=[NotFound])
async def get_customer(customer_id: UUID) -> Response:
    """Read one customer. The id of a visitor who was identified since gives whom he turned out to be."""
    query(Query)
    who = await caller()
    require(who, Permission.CUSTOMERS_READ)
    async with reading() as db:
        customer = await queries.access(db, who.workspace_id, customer_id)
    return _shown(customer)


@blueprint.patch("/customers/<uuid:customer_id>")
@document(
    STAFF,
    body=PatchCustomer,
    answers={200: CustomerResponse},
    errors=[NotFound, EmailVerified],
)
async def patch_customer(customer_id: UUID) -> Response:
    """Change name or e-mail by JSON Merge Patch (RFC 7396). An e-mail set so is not verified."""
    body, who = await parse(PatchCustomer), await caller()
    require(who, Permission.CUSTOMERS_WRITE)
    async with transaction() as db:
        customer = await queries.access(db, who.workspace_id, customer_id, lock=True)
        services.update(db, who, customer, body.model_dump(exclude_unset=True), now=now())
    return _shown(customer)


@blueprint.post("/customers/<uuid:customer_id>/block")
@document(STAFF, body=BlockCustomer, answers={200: CustomerResponse}, errors=[NotFound])
async def block_customer(customer_id: UUID) -> Response:
    """Keep a customer from chatting, for good or until a date. His sessions stay open for staff."""
    body, who = await parse(BlockCustomer), await caller()
    require(who, Permission.CUSTOMERS_BLOCK)
    async with transaction() as db:
        customer = await queries.access(db, who.workspace_id, customer_id, lock=True)
        await services.block(db, who, customer, until=body.until, now=now())
    return _shown(customer)


@blueprint.post("/customers/<uuid:customer_id>/unblock")
@document(STAFF, body=Empty, answers={200: CustomerResponse}, errors=[NotFound])
async def unblock_customer(customer_id: UUID) -> Response:
    """Let a customer chat again. He begins with new tokens."""
    await parse(Empty)
    who = await caller()
    require(who, Permission.CUSTOMERS_BLOCK)
    async with transaction() as db:
        customer = await queries.access(db, who.workspace_id, customer_id, lock=True)
        services.unblock(db, who, customer, now=now())
    return _shown(customer)


def _shown(customer: Customer) -> Response:
    blocked = services.is_blocked(customer, now=now())
    return answer(CustomerResponse(customer=staff_view(customer, blocked=blocked)))


def customer_tokens(customer: Customer, refresh: Refresh, websocket_url: str) -> CustomerTokens:
    """A new access token for a customer, with the refresh token that follows."""
    seconds = shared().auth.customer_token_seconds
    access = shared().keys.customer_token(
        customer, refresh.family, now=now(), lifetime=timedelta(seconds=seconds)
    )
    return CustomerTokens(
        customer=customer_view(customer),
        access_token=access,
        refresh_token=shared().keys.refresh_token(refresh),
        expires_in=seconds,
        websocket_url=websocket_url,
    )
