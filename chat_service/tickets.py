"""Tickets: the one-time right of an agent's login to open a socket, where its token is out of reach.

A ticket `tk_<workspace>_<id>_<secret>` is bound to a login, a device and the origin of a page, is
stored as SHA-256, lives 30 seconds, and its use deletes it.
"""

import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.auth import Admission, Caller, login
from chat_service.errors import Unauthenticated
from chat_service.model import Ticket
from chat_service.schema import TicketId, new_id
from chat_service.tokens import hash_secret, opaque_token, parse_opaque

PREFIX: Final = "tk"
SECONDS: Final = 30
SECRET_BYTES: Final = 32


async def issue_ticket(
    db: AsyncSession, caller: Caller, *, device_id: str | None, origin: str | None, now: datetime
) -> str:
    """A new ticket for an agent's login. Its text is given here and never again.

    `origin` is that of the page it is for, None for an app. Clears away the workspace's tickets
    that nobody used in time.
    """
    await db.execute(
        delete(Ticket).where(Ticket.workspace_id == caller.workspace_id, Ticket.expires_at <= now)
    )
    ticket_id, secret = TicketId(new_id()), secrets.token_hex(SECRET_BYTES)
    db.add(
        Ticket(
            workspace_id=caller.workspace_id,
            id=ticket_id,
            token_id=caller.token_id,
            secret_hash=hash_secret(secret),
            device_id=device_id,
            origin=origin,
            expires_at=now + timedelta(seconds=SECONDS),
        )
    )
    await db.flush()
    return opaque_token(PREFIX, caller.workspace_id, ticket_id, secret)


async def redeem_ticket(
    db: AsyncSession, text: str, *, device_id: str | None, origin: str | None, now: datetime
) -> Admission:
    """Who calls by a ticket, and when that login ends; the ticket is used up by it.

    Raises Unauthenticated for one that was used, is older than 30 seconds, was made for another
    device or for a page of another origin, or whose login has ended.
    """
    given = parse_opaque(text)
    if given.prefix != PREFIX:
        raise Unauthenticated()
    fits = (
        Ticket.workspace_id == given.workspace_id,
        Ticket.id == given.id,
        Ticket.secret_hash == hash_secret(given.secret),
        Ticket.device_id.is_not_distinct_from(device_id),
        Ticket.origin.is_not_distinct_from(origin),
        Ticket.expires_at > now,
    )
    used = await db.execute(delete(Ticket).where(*fits).returning(Ticket.token_id))
    token_id = used.scalar_one_or_none()
    if token_id is None:
        raise Unauthenticated("The ticket was used, has expired, or is not for this page or device")
    return await login(db, given.workspace_id, token_id, now=now)
