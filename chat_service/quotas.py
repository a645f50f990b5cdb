"""What a request takes of the rates that hold for its caller or its address, and what is left of them.

Owns when a request is counted, and who an address is. Leaves the rates to `limits`, and the telling of
what is left to `problems`, which finds it in `g.taken`.
"""

from collections.abc import Hashable
from uuid import UUID

import structlog
from quart import g, request

from chat_service.auth import Caller
from chat_service.errors import RateLimited
from chat_service.limits.addresses import network_of
from chat_service.limits.policies import Claim, Policy, RateLimits, claim_of
from chat_service.schema import SessionId, TokenId
from chat_service.site import READS

log = structlog.get_logger(__name__)


class Quotas:
    """The rates of this process. Each method is about the request being answered."""

    def __init__(self, limits: RateLimits, *, behind_proxies: bool) -> None:
        """`behind_proxies`: what proxies tell of addresses is believed where it may be."""
        self._limits = limits
        self._suspects_proxy = not behind_proxies

    def count(self, policy: Policy | None, caller: Caller) -> None:
        """Count this request once, by its caller; without a policy of its own as a read or a write.

        Raises RateLimited.
        """
        if "taken" in g:
            return
        if policy is None:
            policy = Policy.READ if request.method in READS else Policy.CHANGE
        named: UUID | None = (request.view_args or {}).get("session_id")
        self._take(claim_of(caller, policy, None if named is None else SessionId(named)))

    def count_address(self, policy: Policy, *place: Hashable) -> None:
        """Count this request by its address, and where it knocks: an inbox, a workspace.

        Raises RateLimited.
        """
        try:
            self._take(self._at_address(policy, *place))
        except RateLimited:
            self._tell_of_proxy()
            raise

    def count_family(self, family: TokenId) -> None:
        """Count a renewal by its tokens: many customers share an address, and keep out nobody.

        Raises RateLimited.
        """
        self._take(Claim(Policy.IDENTITY, (family.int,)))

    def count_start(self, caller: Caller) -> None:
        """Count a new session of a customer, for him and for his address. Raises RateLimited."""
        # Apart from new customers: who arrives and starts his first session takes one of each.
        place = (caller.workspace_id, caller.inbox_id, "session")
        self._take(claim_of(caller, Policy.START), self._at_address(Policy.ARRIVAL, *place))

    def count_message(self, caller: Caller, session_id: SessionId) -> None:
        """Count a message that comes with something else. Raises RateLimited."""
        self._take(claim_of(caller, Policy.SEND, session_id))

    def is_news(self, *place: Hashable) -> bool:
        """Whether it is to be written down that this request is refused there; most alike are not."""
        return self._limits.is_news(network_of(request.remote_addr or ""), *place)

    def _at_address(self, policy: Policy, *place: Hashable) -> Claim:
        return Claim(policy, (network_of(request.remote_addr or ""), *place))

    def _take(self, *claims: Claim) -> None:
        taken = self._limits.take(*claims)
        kept = g._get_current_object()
        kept.taken = (*kept.get("taken", ()), taken)

    def _tell_of_proxy(self) -> None:
        """Say once that all may be counted as one, where they come through a proxy nobody trusts."""
        forwarded = "Forwarded" in request.headers or "X-Forwarded-For" in request.headers
        if self._suspects_proxy and forwarded:
            self._suspects_proxy = False
            log.warning("proxy_not_trusted", setting="server.trusted_proxies")
