"""Tokens that end before their time: ending them, and knowing which families of customers' have ended.

Leaves what a token is to `auth`, and the closing of sockets to whoever reads the events of it.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.config import Auth
from chat_service.events import log
from chat_service.events.schema import TokenRevoked
from chat_service.events.transaction import looking
from chat_service.model import Token
from chat_service.schema import Actor, Clock, TokenId, TokenKind, WorkspaceId

LEEWAY: Final = timedelta(seconds=60)


async def end_tokens(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    *which: ColumnElement[bool],
    actor: Actor,
    now: datetime,
) -> list[TokenId]:
    """End tokens of a workspace before their time; those that had ended are left as they are.

    Their sockets and streams end with them, by the events that are recorded.
    """
    # Expired logins had ended; but keys are listed until revoked, and access tokens may outlive a family.
    opens = or_(Token.kind != TokenKind.AGENT, Token.expires_at > now)
    living = (Token.workspace_id == workspace_id, Token.revoked_at.is_(None), opens, *which)
    query = update(Token).where(*living).values(revoked_at=now).returning(Token.id)
    ended = sorted((await db.execute(query)).scalars())
    for token_id in ended:
        log.record(
            db, TokenRevoked(workspace_id=workspace_id, actor=actor, at=now, token_id=token_id)
        )
    return ended


class Revocations:
    """Which customers' token families ended lately; asked at most once in `recheck_seconds`.

    A family that ended longer ago than an access token lives needs no remembering.
    """

    def __init__(self, config: Auth, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._lock = asyncio.Lock()
        self._asked: set[WorkspaceId] = set()
        self._covered: set[WorkspaceId] = set()
        self._revoked: set[TokenId] = set()
        self._read_at = float("-inf")

    async def has(self, workspace_id: WorkspaceId, family: TokenId, *, fresh: bool = False) -> bool:
        """Whether a family of tokens has ended; `fresh`: as of now. Many share a query."""
        now = asyncio.get_running_loop().time()
        since = now if fresh else now - self._config.recheck_seconds
        self._asked.add(workspace_id)
        if not self._is_known(workspace_id, since):
            async with self._lock:
                if not self._is_known(workspace_id, since):
                    await self._refresh(workspace_id)
        return family in self._revoked

    def _is_known(self, workspace_id: WorkspaceId, since: float) -> bool:
        return workspace_id in self._covered and self._read_at > since

    async def _refresh(self, workspace_id: WorkspaceId) -> None:
        """Read for this workspace and in the same query for all that are still asked about."""
        began = asyncio.get_running_loop().time()
        asked = self._asked | self._covered | {workspace_id}
        if began - self._read_at >= self._config.recheck_seconds:
            asked, self._asked = self._asked | {workspace_id}, set()
        alive = timedelta(seconds=self._config.customer_token_seconds) + LEEWAY
        query = select(Token.id).where(
            Token.workspace_id.in_(asked),
            Token.kind == TokenKind.CUSTOMER,
            Token.revoked_at > self._clock() - alive,
        )
        async with looking() as db:
            self._revoked = set(await db.scalars(query))
        self._covered, self._read_at = asked, began
