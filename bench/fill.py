"""A workspace with many sessions, for those who measure a database without the service."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import insert

from chat_service.config import Database as DatabaseConfig
from chat_service.customers import services as customers
from chat_service.events.transaction import Database, transaction
from chat_service.inboxes import services as inboxes
from chat_service.model import ChatSession, Customer, open_engine, table_of
from chat_service.schema import Channel, Status, utc_now
from chat_service.workspaces import services as workspaces

SESSIONS: Final = 10_000


@dataclass(frozen=True)
class Filled:
    """Whose sessions they are."""

    workspace: UUID
    customer: UUID


def session_id(number: int) -> UUID:
    """The id of a session, 1 to SESSIONS: its last 12 digits are the number in decimals."""
    return UUID(f"00000000-0000-7000-8000-{number:012}")


def fill(url: str) -> Filled:
    """Make a workspace, a customer and the sessions in a migrated database."""
    return asyncio.run(_fill(url))


async def _fill(url: str) -> Filled:
    database = Database(open_engine(DatabaseConfig(url=url)))
    with database.bound():
        async with transaction() as db:
            tenant = await workspaces.create(db, slug="limit", name="Limit", now=utc_now())
            inbox = await inboxes.create(
                db, tenant.id, name="Website", allowed_origins=[], now=utc_now()
            )
            customer = await customers.create(db, inbox, name="Ada", email=None, now=utc_now())
            rows = [_session(number, customer) for number in range(1, SESSIONS + 1)]
            await db.execute(insert(table_of(ChatSession)), rows)
    await database.engine.dispose()
    return Filled(tenant.id, customer.id)


def _session(number: int, customer: Customer) -> dict[str, Any]:
    now = utc_now()
    return {
        "workspace_id": customer.workspace_id,
        "id": session_id(number),
        "inbox_id": customer.inbox_id,
        "customer_id": customer.id,
        "client_session_id": f"s-{number}",
        "status": Status.QUEUED,
        "channel": Channel.WEB,
        "queued_at": now,
        "tags": [],
        "custom_attributes": {},
        "last_seq": 0,
        "last_public_seq": 0,
        "message_count": 0,
        "version": 1,
        "created_at": now,
        "updated_at": now,
        "last_activity_at": now,
    }
