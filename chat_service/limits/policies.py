"""The policies by their names: how often who may do what, and how that is told.

Counts are of this process alone: with several each has its own, and `rates.factor` divides them. A
caller is counted by who he is and never by what he sends, so that nobody can use up what is another's.
"""

import time
from collections.abc import Callable, Hashable, Sequence
from enum import StrEnum
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from chat_service import metrics
from chat_service.config import Rates
from chat_service.errors import RateLimited
from chat_service.limits.gcra import Demand, Left, Limiter, Window, seconds_of, take, window
from chat_service.schema import Actor, SessionId, TokenKind, WorkspaceId

Timer = Callable[[], int]
"""Nanoseconds of a clock that never goes back."""
POLICY_FIELD: Final = "RateLimit-Policy"
LEFT_FIELD: Final = "RateLimit"
MINUTE: Final = 60
DAY: Final = 86_400
SESSIONS: Final = 3
"""In all of his sessions together a customer may send so many times as much a minute as in one."""

NEWS: Final = 10
"""So many refusals a minute are noted of one place, and one of each address there."""


class Policy(StrEnum):
    """What is limited, and by whom it is counted."""

    SEND = "send"
    """Messages: by caller, and a customer's by session as well."""
    TYPING = "typing"
    """Signs of typing: by caller."""
    MARK = "mark"
    """Read marks: by caller."""
    READ = "read"
    """Every other read: by caller."""
    CHANGE = "change"
    """Every other write: by caller."""
    START = "start"
    """New sessions: by customer."""
    ARRIVAL = "arrival"
    """New customers, and apart from them new sessions: by address and inbox."""
    IDENTITY = "identity"
    """Renewing a token: by its family, or by address if it is none. Identifying: by address and inbox.

    Founding a workspace: by address.
    """
    SOCKET = "socket"
    """Upgrades to a socket: by address."""


class Claim(NamedTuple):
    """Somebody wants to do something once. `kind` matters where kinds of callers have different rates."""

    policy: Policy
    subject: tuple[Hashable, ...]
    kind: TokenKind | None = None


class Principal(Protocol):
    """Whoever has shown a token."""

    @property
    def kind(self) -> TokenKind: ...
    @property
    def workspace_id(self) -> WorkspaceId: ...
    @property
    def actor(self) -> Actor: ...


def claim_of(who: Principal, policy: Policy, session_id: SessionId | None = None) -> Claim:
    """The claim of a caller, for a message with its session."""
    # Numbers are compared at a tenth of what ids cost.
    actor = who.actor.id and who.actor.id.int
    return Claim(policy, (who.workspace_id.int, actor, session_id and session_id.int), who.kind)


class Taken(NamedTuple):
    """What was granted, and what is left: `policies` is ready to be told."""

    policies: str
    left: Left


class _Kept(NamedTuple):
    scopes: tuple[tuple[Limiter, int], ...]
    """Limiters, and how many parts of a subject are their keys."""
    policies: str


class RateLimits:
    """The buckets of this process."""

    def __init__(self, rates: Rates, timer: Timer = time.monotonic_ns) -> None:
        self._timer = timer
        self._keys = rates.keys
        self._kept: dict[tuple[Policy, TokenKind | None], _Kept] = {}
        w = partial(_scaled, rates.factor)
        second, minute = rates.customer_sends_per_second, rates.customer_sends_per_minute
        self._keep(
            Policy.SEND,
            (3, w("send", second, 1, burst=rates.customer_sends_burst)),
            (3, w("send-minute", minute, MINUTE)),
            (2, w("send-all", minute * SESSIONS, MINUTE)),
            kind=TokenKind.CUSTOMER,
        )
        agents, keys = rates.agent_sends_per_second, rates.key_sends_per_second
        self._keep(Policy.SEND, (2, w("send", agents, 1)), kind=TokenKind.AGENT)
        self._keep(Policy.SEND, (2, w("send", keys, 1)), kind=TokenKind.KEY)
        for policy in (Policy.TYPING, Policy.MARK):
            burst = rates.signs_burst
            self._keep(policy, (2, w(policy, rates.signs_per_second, 1, burst=burst)))
        reads, changes = rates.reads_per_second, rates.changes_per_second
        self._keep(Policy.READ, (2, w("read", reads, 1, burst=rates.reads_burst)))
        self._keep(Policy.CHANGE, (2, w("change", changes, 1, burst=rates.changes_burst)))
        self._keep(
            Policy.START,
            (2, w("start", rates.sessions_per_minute, MINUTE)),
            (2, w("start-day", rates.sessions_per_day, DAY)),
        )
        self._keep(Policy.ARRIVAL, (4, w("arrival", rates.arrivals_per_minute, MINUTE)))
        self._keep(Policy.IDENTITY, (3, w("identity", rates.identities_per_minute, MINUTE)))
        self._news = tuple(
            Limiter([w("news", number, MINUTE)], most=rates.keys) for number in (1, NEWS)
        )
        sockets, at_once = rates.sockets_per_second, rates.sockets_burst
        self._keep(Policy.SOCKET, (1, w("socket", sockets, 1, burst=at_once)))

    def is_news(self, address: str, *place: Hashable) -> bool:
        """Whether what is refused to an address at a place is noted: the first in a minute.

        Of all addresses together ten a minute are, so that nobody fills what it is written to.
        """
        by_address, by_place = self._news
        demands = [(by_address, (address, *place)), (by_place, place)]
        return take(demands, self._timer())[0]

    def _keep(
        self, policy: Policy, *windows: tuple[int, Window], kind: TokenKind | None = None
    ) -> None:
        """Windows, each with how much of a subject it counts by; of one kind of caller, or of all."""
        scopes = tuple(
            (Limiter([w for p, w in windows if p == parts], most=self._keys), parts)
            for parts in sorted({parts for parts, _ in windows}, reverse=True)
        )
        told = ", ".join(f'"{w.name}";q={w.burst};w={w.seconds}' for _, w in windows)
        for each in [kind] if kind else [None, *TokenKind]:
            self._kept[policy, each] = _Kept(scopes, told)

    def take(self, *claims: Claim) -> Taken:
        """Grant what is claimed, all of it; raises RateLimited and then grants nothing of it."""
        demands: list[Demand] = []
        told = ""
        for claim in claims:
            policy, subject, kind = claim
            kept = self._kept[policy, kind]
            told = f"{told}, {kept.policies}" if told else kept.policies
            for limiter, parts in kept.scopes:
                demands.append((limiter, subject[:parts]))
        granted, left = take(demands, self._timer())
        if granted:
            return Taken(told, left)
        metrics.RATE_LIMITED.labels(_policy_of(claims, left)).inc()
        raise _refused(Taken(told, left))


def _scaled(
    factor: float, name: str, number: float, seconds: float, *, burst: float | None = None
) -> Window:
    most = None if burst is None else burst * factor
    return window(name, number * factor, seconds, burst=most)


def _policy_of(claims: Sequence[Claim], left: Left) -> Policy:
    """Whose window it is: its name begins with that of its policy."""
    name = left.window.name.partition("-")[0]
    return next(claim.policy for claim in claims if claim.policy == name)


def _refused(taken: Taken) -> RateLimited:
    window, wait = taken.left.window, seconds_of(taken.left.wait)
    members: dict[str, Any] = {
        "policy": window.name,
        "limit": window.burst,
        "window_seconds": window.seconds,
        "retry_after": wait,
    }
    detail = f"At most {window.burst} in {window.seconds} s; try again in {wait} s"
    headers = {"Retry-After": str(wait), **fields([taken])}
    return RateLimited(detail, headers=headers, **members)


def fields(taken: Sequence[Taken]) -> dict[str, str]:
    """The fields of an answer to what was granted (draft-ietf-httpapi-ratelimit-headers-10).

    `RateLimit` tells of the window of which least is left: `r` more, and in `t` seconds one more than that.
    """
    left = taken[0].left
    for other in taken[1:]:
        if other.left.remaining < left.remaining:
            left = other.left
    return {
        POLICY_FIELD: ", ".join([each.policies for each in taken]),
        LEFT_FIELD: f'"{left.window.name}";r={left.remaining};t={seconds_of(left.wait)}',
    }
