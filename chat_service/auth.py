"""Who calls: principals, their tokens made and checked, and what they are allowed.

Owns who a caller is and `require`. A token names its workspace, so that no look-up crosses
workspaces. A checked token is remembered for `auth.recheck_seconds`, so a revoked one stops working
within that time on every process, without any broker. Leaves passwords to `agents`, the right to one
session to `sessions`, and the texts of tokens to `tokens`.
"""

import asyncio
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from cachetools import LRUCache, TTLCache
from sqlalchemy import Row, select

from chat_service.config import Auth
from chat_service.errors import Forbidden, Unauthenticated
from chat_service.events.transaction import reading
from chat_service.model import Agent, Token
from chat_service.schema import (
    ROLE_PERMISSIONS,
    Actor,
    AgentStatus,
    AuthorType,
    Clock,
    CustomerId,
    InboxId,
    Permission,
    TokenId,
    TokenKind,
    WorkspaceId,
)
from chat_service.tokens import Keys, hash_secret

LEEWAY: Final = timedelta(seconds=60)
REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request, as the token says; never as the body says."""

    kind: TokenKind
    workspace_id: WorkspaceId
    token_id: TokenId
    actor: Actor
    display_name: str | None
    permissions: frozenset[Permission]
    customer_id: CustomerId | None = None
    inbox_id: InboxId | None = None

    @property
    def is_customer(self) -> bool:
        """Whether this is a person served, who sees the public side of own sessions only."""
        return self.kind is TokenKind.CUSTOMER


def require(caller: Caller, permission: Permission) -> None:
    """Refuse a caller without a permission; raises Forbidden."""
    if permission not in caller.permissions:
        raise Forbidden(f"This needs the permission {permission}")


class Authenticator:
    """Checks bearer tokens, remembering each for a moment."""

    def __init__(self, config: Auth, keys: Keys, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._opaque: TTLCache[str, Caller] = TTLCache(REMEMBERED, config.recheck_seconds)
        self._customers: LRUCache[str, tuple[Caller, datetime]] = LRUCache(REMEMBERED)
        self._revoked = Revocations(config, clock)

    async def authenticate(self, token: str) -> Caller:
        """Who holds this token; raises Unauthenticated."""
        if token.startswith(("sk_", "at_")):
            caller = self._opaque.get(token)
            if caller is None:
                caller = self._opaque[token] = await self._look_up(token)
            return caller
        known = self._customers.get(token)
        if known is None:
            known = self._customers[token] = self._read(token)
        caller, expires_at = known
        if expires_at <= self._clock() or await self._revoked.has(caller):
            raise Unauthenticated("The token has expired or was revoked")
        return caller

    async def _look_up(self, token: str) -> Caller:
        try:
            prefix, workspace, token_id, secret = token.split("_")
            query = (
                select(Token, Agent)
                .outerjoin(
                    Agent, (Agent.workspace_id == Token.workspace_id) & (Agent.id == Token.agent_id)
                )
                .where(Token.workspace_id == UUID(workspace), Token.id == UUID(token_id))
            )
        except ValueError:
            raise Unauthenticated() from None
        async with reading() as db:
            found = (await db.execute(query)).first()
        kind = TokenKind.KEY if prefix == "sk" else TokenKind.AGENT
        if found is None or not self._is_good(found, kind, secret):
            raise Unauthenticated()
        return _staff(found)

    def _is_good(self, found: Row[Token, Agent], kind: TokenKind, secret: str) -> bool:
        token, agent = found
        if token.kind is not kind or token.secret_hash is None:
            return False
        if not hmac.compare_digest(token.secret_hash, hash_secret(secret)):
            return False
        alive = token.revoked_at is None and (
            token.expires_at is None or token.expires_at > self._clock()
        )
        return alive and (kind is TokenKind.KEY or agent.status is AgentStatus.ACTIVE)

    def _read(self, token: str) -> tuple[Caller, datetime]:
        claims = self._keys.claims(token)
        try:
            customer_id = CustomerId(UUID(claims["sub"]))
            caller = Caller(
                kind=TokenKind.CUSTOMER,
                workspace_id=WorkspaceId(UUID(claims["ws"])),
                token_id=TokenId(UUID(claims["family"])),
                actor=Actor(AuthorType.CUSTOMER, customer_id),
                display_name=None,
                permissions=frozenset(),
                customer_id=customer_id,
                inbox_id=InboxId(UUID(claims["inbox"])),
            )
            return caller, datetime.fromtimestamp(claims["exp"], self._clock().tzinfo)
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
            raise Unauthenticated() from error


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

    async def has(self, caller: Caller) -> bool:
        """Whether the caller's family of tokens has ended."""
        workspace_id = caller.workspace_id
        self._asked.add(workspace_id)
        if not self._is_fresh(workspace_id):
            async with self._lock:
                if not self._is_fresh(workspace_id):
                    await self._refresh(workspace_id)
        return caller.token_id in self._revoked

    def _is_fresh(self, workspace_id: WorkspaceId) -> bool:
        age = asyncio.get_running_loop().time() - self._read_at
        return workspace_id in self._covered and age < self._config.recheck_seconds

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
        async with reading() as db:
            self._revoked = set(await db.scalars(query))
        self._covered, self._read_at = asked, began


def _staff(found: Row[Token, Agent]) -> Caller:
    token, agent = found
    if token.kind is TokenKind.KEY:
        actor, name = Actor(AuthorType.BOT, token.id), token.name
        permissions = frozenset(Permission(scope) for scope in token.scopes)
    else:
        actor, name = Actor(AuthorType.AGENT, agent.id), agent.name
        permissions = ROLE_PERMISSIONS[agent.role]
    return Caller(
        kind=token.kind,
        workspace_id=token.workspace_id,
        token_id=token.id,
        actor=actor,
        display_name=name,
        permissions=permissions,
    )
