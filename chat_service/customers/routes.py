"""A customer begins at an inbox, and renews the token."""

from datetime import timedelta

from quart import Blueprint, Response

from chat_service.customers import services
from chat_service.customers.transport import CustomerTokens, CustomerView, NewCustomer, RefreshToken
from chat_service.errors import InvalidGrant, NotFound, OriginNotAllowed, Overloaded
from chat_service.events.transaction import reading, transaction
from chat_service.inboxes import queries as inboxes
from chat_service.limits.policies import Policy
from chat_service.model import Customer
from chat_service.tokens import Refresh
from chat_service.web import Who, answer, document, now, parse, shared

blueprint = Blueprint("customers", __name__, url_prefix="/v1")


@blueprint.post("/inboxes/<inbox_key>/customers")
@document(
    Who.PUBLIC,
    body=NewCustomer,
    answers={201: CustomerTokens},
    errors=[NotFound, OriginNotAllowed, Overloaded],
    limit=Policy.ARRIVAL,
)
async def create_customer(inbox_key: str) -> Response:
    """Begin as a new customer of an inbox; pages must be of an origin the inbox allows, or our own."""
    body, websocket_url = await parse(NewCustomer), shared().site.websocket_url()
    place = inboxes.parse_key(inbox_key)
    shared().overload.refuse_newcomers(place[0])
    shared().quotas.count_address(Policy.ARRIVAL, *place)
    async with reading() as db:
        inbox = await inboxes.access(db, inbox_key, shared().site.foreign_origin())
    async with transaction() as db:
        customer = await services.create(
            db, inbox, name=body.profile.name, email=body.profile.email, now=now()
        )
        refresh = await services.begin_family(db, customer, shared().auth, now=now())
    return answer(_tokens(customer, refresh, websocket_url), 201)


@blueprint.post("/auth/token")
@document(
    Who.PUBLIC,
    body=RefreshToken,
    answers={200: CustomerTokens},
    errors=[InvalidGrant],
    limit=Policy.IDENTITY,
)
async def refresh_token() -> Response:
    """Renew a customer's token. The old refresh token stays good until the new one was used."""
    body, websocket_url = await parse(RefreshToken), shared().site.websocket_url()
    given = shared().keys.parse_refresh_token(body.refresh_token)
    if given is None:
        raise InvalidGrant()
    shared().quotas.count_address(Policy.IDENTITY, given.workspace_id)
    async with transaction() as db:
        renewed = await services.refresh(db, given, shared().auth, now=now())
    if renewed is None:
        raise InvalidGrant("This refresh token was used before; sign in again")
    return answer(_tokens(*renewed, websocket_url))


def _tokens(customer: Customer, refresh: Refresh, websocket_url: str) -> CustomerTokens:
    seconds = shared().auth.customer_token_seconds
    access = shared().keys.customer_token(
        customer, refresh.family, now=now(), lifetime=timedelta(seconds=seconds)
    )
    view = CustomerView(
        object="customer",
        id=customer.id,
        workspace_id=customer.workspace_id,
        inbox_id=customer.inbox_id,
        name=customer.name,
        email=customer.email,
        created_at=customer.created_at,
    )
    return CustomerTokens(
        customer=view,
        access_token=access,
        refresh_token=shared().keys.refresh_token(refresh),
        expires_in=seconds,
        websocket_url=websocket_url,
    )
