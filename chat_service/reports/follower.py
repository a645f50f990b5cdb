"""Counts messages by day and type of author."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final

from sqlalchemy import Row
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.model import MessageCount, table_of

COUNTS: Final = table_of(MessageCount)


class MessageCounter:
    """Keeps `message_counts`. A message counts for ever, also when it was deleted."""

    name = "message_counts"
    types = frozenset({"message.created"})

    async def handle(self, db: AsyncSession, events: Sequence[Row[Any]]) -> None:
        """Count new messages, on the UTC day they were written."""
        counts = Counter((row.created_at.astimezone(UTC).date(), row.actor_type) for row in events)
        insert = insert_sqlite if db.get_bind().dialect.name == "sqlite" else insert_postgres
        rows = [
            {
                "workspace_id": events[0].workspace_id,
                "day": day,
                "author_type": author_type,
                "count": count,
            }
            for (day, author_type), count in sorted(counts.items())
        ]
        new = insert(COUNTS).values(rows)
        total = COUNTS.c.count + new.excluded.count
        await db.execute(
            new.on_conflict_do_update(index_elements=COUNTS.primary_key, set_={"count": total})
        )
