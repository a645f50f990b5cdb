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

from cachetools import LRUCache
from sqlalchemy import ColumnElement, Row, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.config import Auth
from chat_service.errors import Forbidden, Unauthenticated
from chat_service.events import log
from chat_service.events.schema import TokenRevoked
from chat_service.events.transaction import looking
from chat_service.model import Agent, CustomRole, TeamMember, Token
from chat_service.schema import (
    ROLE_PERMISSIONS,
    Actor,
    AgentId,
    AgentStatus,
    AuthorType,
    Clock,
    CustomerId,
    InboxId,
    Permission,
    Role,
    RoleId,
    TeamId,
    TokenId,
    TokenKind,
    WorkspaceId,
)
from chat_service.tokens import Keys, Opaque, hash_secret, parse_opaque
from chat_service.usage import Usage

LEEWAY: Final = timedelta(seconds=60)
REMEMBERED: Final = 10_000
BY_TEAM: Final = {Permission.SESSIONS_READ_TEAM, Permission.SESSIONS_READ_ALL}


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
    role: Role | None = None
    role_id: RoleId | None = None
    """Of an agent, where it is a role of the workspace's own."""
    teams: frozenset[TeamId] = frozenset()
    """Of an agent who may see their sessions: one who sees all of them has a view of his teams too."""

    @property
    def is_customer(self) -> bool:
        """Whether this is a person served, who sees the public side of own sessions only."""
        return self.kind is TokenKind.CUSTOMER

    @property
    def agent_id(self) -> AgentId:
        """Which agent calls; only for one who is an agent."""
        return AgentId(UUID(str(self.actor.id)))

    @property
    def rights(self) -> tuple[object, ...]:
        """What others may change of him while he stays signed in."""
        return self.permissions, self.role, self.role_id, self.teams


Admission = tuple[Caller, datetime | None]
"""Who calls, and when the right to do so ends; None for without end."""


def require(caller: Caller, permission: Permission) -> None:
    """Refuse a caller without a permission; raises Forbidden."""
    if permission not in caller.permissions:
        raise Forbidden(f"This needs the permission {permission}")


class Authenticator:
    """Checks bearer tokens, remembering each for a moment."""

    def __init__(self, config: Auth, keys: Keys, clock: Clock, usage: Usage) -> None:
        self._keys = keys
        self._usage = usage
        self._clock = clock
        self._recheck_seconds = config.recheck_seconds
        self._opaque: LRUCache[str, tuple[Admission, float]] = LRUCache(REMEMBERED)
        self._customers: LRUCache[str, tuple[Caller, datetime]] = LRUCache(REMEMBERED)
        self._revoked = Revocations(config, clock)

    async def authenticate(self, token: str) -> Caller:
        """Who holds this token; raises Unauthenticated."""
        return (await self.admit(token))[0]

    async def admit(self, token: str, *, fresh: bool = False) -> Admission:
        """Who holds this token, and until when, for what lasts longer than a request.

        `fresh` asks the database and goes by nothing remembered. Raises Unauthenticated.
        """
        if token.startswith(("sk_", "at_")):
            found, now = self._opaque.get(token), asyncio.get_running_loop().time()
            if fresh or found is None or found[1] <= now:  # by when the reading began, not ended
                found = self._opaque[token] = await self._look_up(token), now + self._recheck_seconds
            admission = found[0]
            self._usage.note(admission[0].workspace_id, admission[0].token_id)
            return admission
        known = self._customers.get(token)
        if known is None:
            known = self._customers[token] = self._read(token)
        caller, expires_at = known
        if expires_at <= self._clock() or await self._revoked.has(caller, fresh=fresh):
            raise Unauthenticated("The token has expired or was revoked")
        return known

    async def _look_up(self, token: str) -> Admission:
        given = parse_opaque(token)
        async with looking() as db:
            found = await _find(db, given.workspace_id, given.id)
            if found is None or not _is_of(found, given) or not _holds(found, now=self._clock()):
                raise Unauthenticated()
            return await _staff(db, found), found[0].expires_at

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


async def login(
    db: AsyncSession, workspace_id: WorkspaceId, token_id: TokenId, *, now: datetime
) -> Admission:
    """Whose login this is, without asking for its secret; raises Unauthenticated if it has ended."""
    found = await _find(db, workspace_id, token_id)
    if found is None or found[0].kind is not TokenKind.AGENT or not _holds(found, now=now):
        raise Unauthenticated()
    return await _staff(db, found), found[0].expires_at


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
    living = (Token.workspace_id == workspace_id, Token.revoked_at.is_(None), *which)
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

    async def has(self, caller: Caller, *, fresh: bool = False) -> bool:
        """Whether the caller's family of tokens has ended; `fresh`: as of now. Many share a query."""
        workspace_id, now = caller.workspace_id, asyncio.get_running_loop().time()
        since = now if fresh else now - self._config.recheck_seconds
        self._asked.add(workspace_id)
        if not self._is_known(workspace_id, since):
            async with self._lock:
                if not self._is_known(workspace_id, since):
                    await self._refresh(workspace_id)
        return caller.token_id in self._revoked

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


Found = Row[Token, Agent, CustomRole]


async def _find(db: AsyncSession, workspace_id: WorkspaceId, token_id: UUID) -> Found | None:
    """The row of a token, with the agent where it is an agent's, and his role where it has a row."""
    agents = (Agent.workspace_id == Token.workspace_id) & (Agent.id == Token.agent_id)
    roles = (CustomRole.workspace_id == Agent.workspace_id) & (CustomRole.id == Agent.role_id)
    query = select(Token, Agent, CustomRole).outerjoin(Agent, agents).outerjoin(CustomRole, roles)
    mine = query.where(Token.workspace_id == workspace_id, Token.id == token_id)
    return (await db.execute(mine)).first()


def _is_of(found: Found, given: Opaque) -> bool:
    """Whether a row is that of a text: the secret fits, and so does what the text calls itself."""
    token = found[0]
    kind = TokenKind.KEY if given.prefix == "sk" else TokenKind.AGENT
    if token.kind is not kind or token.secret_hash is None:
        return False
    return hmac.compare_digest(token.secret_hash, hash_secret(given.secret))


def _holds(found: Found, *, now: datetime) -> bool:
    """Whether a token has not ended, and its agent is still one."""
    token, agent, _ = found
    if token.revoked_at is not None or token.expires_at is not None and token.expires_at <= now:
        return False
    return token.kind is TokenKind.KEY or agent.status is AgentStatus.ACTIVE


async def _staff(db: AsyncSession, found: Found) -> Caller:
    token, agent, role = found
    if token.kind is TokenKind.KEY:
        return Caller(
            kind=token.kind,
            workspace_id=token.workspace_id,
            token_id=token.id,
            actor=Actor(AuthorType.BOT, token.id),
            display_name=token.name,
            permissions=frozenset(Permission(scope) for scope in token.scopes),
        )
    permissions = permissions_of(agent, role)
    return Caller(
        kind=token.kind,
        workspace_id=token.workspace_id,
        token_id=token.id,
        actor=Actor(AuthorType.AGENT, agent.id),
        display_name=agent.name,
        permissions=permissions,
        role=agent.role,
        role_id=agent.role_id,
        teams=await teams_of(db, agent, permissions),
    )


def permissions_of(agent: Agent, role: CustomRole | None) -> frozenset[Permission]:
    """What an agent may do, by his role; `role` is the row of one of the workspace's own."""
    if role is None:
        return ROLE_PERMISSIONS[agent.role]
    return frozenset(Permission(each) for each in role.permissions)


async def teams_of(
    db: AsyncSession, agent: Agent, permissions: frozenset[Permission]
) -> frozenset[TeamId]:
    """The teams whose sessions an agent may see as a member; none where nothing depends on them."""
    if not permissions & BY_TEAM:
        return frozenset()
    query = select(TeamMember.team_id).where(
        TeamMember.workspace_id == agent.workspace_id, TeamMember.agent_id == agent.id
    )
    return frozenset(await db.scalars(query))
