"""What Prometheus reads: who may, what is asked of the database for it, the text.

Owns nothing of the figures themselves, which are defined in `metrics`.
"""

import asyncio
from hmac import compare_digest
from typing import Final

from prometheus_client import Metric
from sqlalchemy import text

from chat_service import metrics
from chat_service.errors import NotFound, ServiceError, Unauthenticated
from chat_service.events.transaction import reading
from chat_service.web import bearer, shared

ASK_SECONDS: Final = 2.0
"""How long the database may take to answer; without it the other figures are still told."""

# Whatever holds a snapshot or writes keeps dead rows in place; an autovacuum does not. That another
# role holds one is seen by every role, since when only by some.
SNAPSHOTS: Final = text("""
    SELECT coalesce(greatest(extract(epoch FROM max(now() - xact_start)), 0), 0)::float,
           count(*) FILTER (WHERE xact_start IS NULL)
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
      AND backend_type IS DISTINCT FROM 'autovacuum worker'
    """)


def require_reader() -> None:
    """Refuse whoever has not the token; raises Unauthenticated, or NotFound where there is none."""
    token = shared().metrics_token
    if token is None:
        raise NotFound()
    if not compare_digest(bearer().encode(), token.get_secret_value().encode()):
        raise Unauthenticated()


async def read_figures() -> bytes:
    """All figures, as text of `metrics.CONTENT_TYPE`."""
    shared().sampler.sample()
    asked = await _of_snapshots()
    return await asyncio.to_thread(metrics.exposition, asked)


async def _of_snapshots() -> list[Metric]:
    """What the database tells of its snapshots: nothing on SQLite, or where it does not answer."""
    try:
        async with asyncio.timeout(ASK_SECONDS), reading() as db:
            if db.get_bind().dialect.name == "sqlite":
                return []
            oldest, hidden = (await db.execute(SNAPSHOTS)).one()
            return metrics.of_snapshots(oldest, hidden)
    except (TimeoutError, ServiceError):
        return []
