"""A follower with a bug, which the recount has to find."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.app import Service
from chat_service.events.follow import Followers
from chat_service.events.transaction import transaction
from chat_service.reports.follower import MessageCounter
from chat_service.schema import ProcessId, new_id, utc_now


class CountsApart(MessageCounter):
    """Has its effect in a transaction of its own, beside that of its position."""

    async def handle(self, db: AsyncSession, events: Sequence[Row[Any]]) -> None:
        """Count, whatever becomes of the position."""
        async with transaction() as other:
            await super().handle(other, events)


def careless(service: Service) -> Followers:
    """What follows the log of a service in place of what should."""
    return Followers([CountsApart()], utc_now, ProcessId(new_id()))
