"""A customer arrives at an inbox, and starts a session."""

from functools import partial
from typing import Any
from uuid import UUID

from quart import Blueprint, Response, request
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.auth import Caller
from chat_service.customers import services as customers
from chat_service.customers.families import begin_family
from chat_service.customers.identity import refused
from chat_service.customers.routes import customer_tokens
from chat_service.customers.transport import CustomerTokens, NewCustomer
from chat_service.errors import (
    AlreadyAssigned,
    ClientSessionIdMissing,
    ClientSessionIdReused,
    CustomerBlocked,
    FieldError,
    InvalidIdentity,
    NotAssigned,
    NotFound,
    OriginNotAllowed,
    Overloaded,
    SessionClosed,
    SessionFull,
    TooManyOpenSessions,
    Unauthenticated,
    ValidationFailed,
)
from chat_service.events import log
from chat_service.events.log import Stream
from chat_service.events.transaction import reading, transaction
from chat_service.inboxes import queries as inboxes
from chat_service.intake import services
from chat_service.intake.identification import Visit, identify
from chat_service.intake.transport import FirstMessage, StartedResponse, StartSession
from chat_service.limits.policies import Policy
from chat_service.messages import services as messages
from chat_service.messages.drafts import Draft, draft_of
from chat_service.messages.transport import message_cursor, message_view
from chat_service.model import Customer, Inbox
from chat_service.schema import CursorKind, SessionId
from chat_service.sessions import queries as sessions
from chat_service.sessions.rendering import render_one
from chat_service.sessions.transport import session_etag
from chat_service.tokens import Refresh
from chat_service.transport import ETAG, IDEMPOTENCY_KEY, LOCATION, Json
from chat_service.web import (
    Who,
    answer,
    bearer,
    caller,
    document,
    idempotency_key,
    now,
    parse,
    shared,
)

blueprint = Blueprint("intake", __name__, url_prefix="/v1/sessions")
arrivals = Blueprint("arrivals", __name__, url_prefix="/v1/inboxes")
NOT_YET = SessionId(UUID(int=0))


@arrivals.post("/<inbox_key>/customers")
@document(
    Who.PUBLIC,
    body=NewCustomer,
    answers={201: CustomerTokens},
    errors=[NotFound, OriginNotAllowed, CustomerBlocked, InvalidIdentity, Overloaded],
    pages=True,
    limit=Policy.ARRIVAL,
)
async def create_customer(inbox_key: str) -> Response:
    """Begin as a new customer of an inbox; pages must be of an origin the inbox allows, or our own.

    With an `identity_token` it is the customer whom the host site vouches for; a visitor who sends his
    own token along takes his sessions with him.
    """
    body, websocket_url = await parse(NewCustomer), shared().site.websocket_url()
    _count(inbox_key, body)
    async with reading() as db:
        inbox = await inboxes.access(db, inbox_key, shared().site.foreign_origin())
    if body.identity_token is None:
        arrived = await _begin(inbox, body)
    else:
        arrived = await _identify(inbox, body, body.identity_token)
    return answer(customer_tokens(*arrived, websocket_url), 201)


def _count(inbox_key: str, body: NewCustomer) -> None:
    """Count who arrives by his address; who says who he is is served under load, too.

    Raises NotFound for a key that is none, Overloaded and RateLimited.
    """
    place = inboxes.parse_key(inbox_key)
    if body.identity_token is not None:
        shared().quotas.count_address(Policy.IDENTITY, *place)
        return
    shared().overload.refuse_newcomers(place[0])
    shared().quotas.count_address(Policy.ARRIVAL, *place)


async def _begin(inbox: Inbox, body: NewCustomer) -> tuple[Customer, Refresh]:
    async with transaction() as db:
        customer = await customers.create(
            db, inbox, name=body.profile.name, email=body.profile.email, now=now()
        )
        refresh = await begin_family(
            db, customer, shared().auth, device_id=body.device_id, now=now()
        )
    return customer, refresh


async def _identify(inbox: Inbox, body: NewCustomer, token: str) -> tuple[Customer, Refresh]:
    if body.device_id is None:
        detail = "an identity token is shown by a device"
        raise ValidationFailed(errors=[FieldError("/device_id", "missing", detail)])
    visit = Visit(
        inbox,
        await _customer(),
        token,
        body.device_id,
        name=body.profile.name,
        email=body.profile.email,
        now=now(),
        is_news=partial(shared().quotas.is_news, inbox.id),
    )
    async with transaction() as db:
        found = await identify(db, visit, keys=shared().keys, config=shared().auth)
    if found is None:
        raise refused()
    return found


async def _customer() -> Caller | None:
    """The customer in whose name this request was sent; whatever else it bears counts for nothing."""
    if "Authorization" not in request.headers:
        return None
    try:
        found: Caller = await shared().authenticator.authenticate(bearer())
    except Unauthenticated:
        return None
    return found if found.is_customer else None


@blueprint.post("")
@document(
    Who.CUSTOMER | Who.AGENT | Who.KEY,
    body=StartSession,
    answers={201: StartedResponse, 200: StartedResponse},
    errors=[
        ClientSessionIdMissing,
        ClientSessionIdReused,
        NotFound,
        SessionClosed,
        SessionFull,
        NotAssigned,
        AlreadyAssigned,
        TooManyOpenSessions,
        Overloaded,
    ],
    takes=[IDEMPOTENCY_KEY],
    gives=[ETAG, LOCATION],
)
async def start_session() -> Response:
    """Start a session, with its first message. 201 where it is new, 200 where it was there."""
    body, who = await parse(StartSession), await caller()
    out: Json = {"websocket_url": shared().site.websocket_url()}
    client_session_id = idempotency_key(body.client_session_id)
    if client_session_id is None:
        raise ClientSessionIdMissing()
    customer_id = services.customer_of(who, body.customer_id, body.custom_attributes, body.team_id)
    start = services.Start(
        client_session_id=client_session_id,
        resume=body.mode == "resume_or_create",
        subject=body.subject,
        custom_attributes=body.custom_attributes,
        team_id=body.team_id,
    )
    first = _draft(who, body.initial_message) if body.initial_message else None
    async with transaction() as db:
        started = await services.start(
            db, who, customer_id, start, first, _Counts(who), limits=shared().limits, now=now()
        )
        session = await render_one(db, who, await _shown(db, who, started))
        cursor = await _cursor(db, who, started)
    sent = started.message
    messages.count_acknowledged([sent] if sent else [])
    view = message_view(who.is_customer, sent.row, sent.author_name) if sent else None
    out |= {"session": session, "message": view, "cursor": cursor}
    headers = {"Location": f"/v1/sessions/{session.id}"}
    status = 201 if started.created else 200
    return answer(out, status, headers=headers, etag=session_etag(session))


class _Counts:
    """Counts what a start brings, by the rates of this request's caller."""

    def __init__(self, who: Caller) -> None:
        self._who = who

    def session(self) -> None:
        """Customers are counted for what they start and refused it under load, not for finding it again."""
        if self._who.is_customer:
            shared().overload.refuse_newcomers(self._who.workspace_id)
            shared().quotas.count_start(self._who)

    def message(self, session_id: SessionId) -> None:
        """A first message counts as any other."""
        shared().quotas.count_message(self._who, session_id)


async def _shown(db: AsyncSession, who: Caller, started: services.Started) -> Row[Any]:
    """The session as it is shown. One that was there must be the caller's to see."""
    if not started.created:
        return await sessions.summary(db, who, started.session_id)
    rows = await sessions.summaries_by_id(db, who.workspace_id, [started.session_id])
    return rows[started.session_id]


async def _cursor(db: AsyncSession, who: Caller, started: services.Started) -> str:
    """Where the session's log ends: behind the message just written, else where it ended before."""
    sent = started.message
    if sent is not None and not sent.repeated:
        return message_cursor(who.is_customer, sent.row)
    kind = CursorKind.PUBLIC if who.is_customer else CursorKind.STAFF
    return str(await log.head(db, Stream(kind, who.workspace_id, started.session_id)))


def _draft(who: Caller, message: FirstMessage) -> Draft:
    try:
        return draft_of(
            who,
            NOT_YET,
            client_message_id=message.client_message_id,
            content=message.content.model_dump(),
            visibility=message.visibility,
            reply_to_id=message.reply_to_id,
            metadata=message.metadata,
            public_metadata=message.public_metadata,
            limits=shared().limits,
        )
    except ValidationFailed as error:
        raise error.inside("initial_message") from None
