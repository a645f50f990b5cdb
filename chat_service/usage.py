"""When tokens were last used, to the minute: noted at each use, written beside the requests.

Owns `last_used_at` of agents' logins and API keys, of which each is written at most once a minute by
each process. Customers' tokens live for minutes anyway, and are not noted.
"""

import asyncio
from collections import defaultdict
from datetime import datetime
from typing import Final

from cachetools import LRUCache
from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.errors import ServiceError
from chat_service.events.transaction import transaction
from chat_service.model import Token
from chat_service.schema import Clock, TokenId, WorkspaceId

EVERY_SECONDS: Final = 2.0
REMEMBERED: Final = 20_000
AT_ONCE: Final = 500
"""How many tokens are written in one transaction, which is short."""

Key = tuple[WorkspaceId, TokenId]


class Usage:
    """Which tokens were used, since this was last written."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._noted: LRUCache[Key, datetime] = LRUCache(REMEMBERED)
        self._unwritten: LRUCache[Key, datetime] = LRUCache(REMEMBERED)

    def note(self, workspace_id: WorkspaceId, token_id: TokenId) -> None:
        """A token is used now; costs two look-ups."""
        key, minute = (workspace_id, token_id), self._clock().replace(second=0, microsecond=0)
        if self._noted.get(key) != minute:
            self._noted[key] = self._unwritten[key] = minute

    async def run(self) -> None:
        """Write again and again; what the database does not take now is written later."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await self.write()

    async def write(self) -> None:
        """Write what was noted, each workspace in the order of its first use."""
        while self._unwritten:
            taken = dict(list(self._unwritten.items())[:AT_ONCE])
            try:
                async with transaction() as db:
                    await _write(db, taken)
            except ServiceError:
                return
            for key, minute in taken.items():
                if self._unwritten.get(key) == minute:
                    del self._unwritten[key]


async def _write(db: AsyncSession, used: dict[Key, datetime]) -> None:
    together: dict[tuple[WorkspaceId, datetime], list[TokenId]] = defaultdict(list)
    for (workspace_id, token_id), minute in used.items():
        together[workspace_id, minute].append(token_id)
    for (workspace_id, minute), ids in together.items():
        # A row that somebody is changing is ending, or is written by another process.
        free = (
            select(Token.id)
            .where(
                Token.workspace_id == workspace_id,
                Token.id.in_(ids),
                or_(Token.last_used_at.is_(None), Token.last_used_at < minute),
            )
            .with_for_update(key_share=True, skip_locked=True)
        )
        found = (await db.scalars(free)).all()
        mine = (Token.workspace_id == workspace_id, Token.id.in_(found))
        await db.execute(
            update(Token)
            .where(*mine)
            .values(last_used_at=minute)
            .execution_options(synchronize_session=False)
        )
