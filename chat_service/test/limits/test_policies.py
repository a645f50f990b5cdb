"""The policies beside the table of limits, and what is told of them."""

from collections.abc import Hashable
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from chat_service import metrics
from chat_service.config import Rates
from chat_service.errors import RateLimited
from chat_service.limits.policies import Claim, Policy, RateLimits, Taken, claim_of, fields
from chat_service.schema import Actor, AuthorType, SessionId, TokenKind, WorkspaceId
from chat_service.test.fakes import StandingTimer
from chat_service.test.figures import figures_of, grown, series

HERE = WorkspaceId(uuid4())
TYPES = {
    TokenKind.CUSTOMER: AuthorType.CUSTOMER,
    TokenKind.AGENT: AuthorType.AGENT,
    TokenKind.KEY: AuthorType.BOT,
}


@dataclass(frozen=True)
class Somebody:
    """A caller, as far as rates go by him."""

    kind: TokenKind
    workspace_id: WorkspaceId
    actor: Actor


def somebody(kind: TokenKind, place: WorkspaceId = HERE, known_as: UUID | None = None) -> Somebody:
    return Somebody(kind, place, Actor(TYPES[kind], known_as or uuid4()))


def at(policy: Policy, *subject: Hashable) -> Claim:
    return Claim(policy, subject)


CUSTOMER, AGENT, KEY = (somebody(kind) for kind in TYPES)
SESSION = SessionId(uuid4())
TABLE = {
    "customer": (claim_of(CUSTOMER, Policy.SEND, SESSION), 20, 5, "send"),
    "agent": (claim_of(AGENT, Policy.SEND, SESSION), 20, 20, "send"),
    "key": (claim_of(KEY, Policy.SEND, SESSION), 100, 100, "send"),
    "typing": (claim_of(CUSTOMER, Policy.TYPING), 60, 20, "typing"),
    "marks": (claim_of(AGENT, Policy.MARK), 60, 20, "mark"),
    "reads": (claim_of(KEY, Policy.READ), 200, 50, "read"),
    "writes": (claim_of(AGENT, Policy.CHANGE), 100, 20, "change"),
    "new sessions": (claim_of(CUSTOMER, Policy.START), 5, 5 / 60, "start"),
    "arrivals": (at(Policy.ARRIVAL, "192.0.2.1", HERE, "inbox"), 30, 30 / 60, "arrival"),
    "renewals": (at(Policy.IDENTITY, "192.0.2.1", HERE), 60, 60 / 60, "identity"),
    "sockets": (at(Policy.SOCKET, "192.0.2.1"), 200, 10, "socket"),
}
"""Whose claim, how many at once, how many a second from then on, and the name of the window."""


def granted(rates: RateLimits, claim: Claim, most: int = 1_000) -> tuple[int, RateLimited | None]:
    """How often something is granted, and how it is refused then."""
    for count in range(most):
        try:
            rates.take(claim)
        except RateLimited as refused:
            return count, refused
    return most, None


@pytest.mark.parametrize("row", TABLE)
@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4")
def test_grants_what_the_table_says_and_no_more(row: str) -> None:
    claim, burst, a_second, name = TABLE[row]
    timer = StandingTimer()
    rates = RateLimits(Rates(), timer)
    count, refused = granted(rates, claim)
    assert count == burst and refused is not None
    told = refused.members
    assert (told["policy"], told["limit"]) == (name, burst)
    assert told["window_seconds"] == round(burst / a_second)
    assert refused.headers["Retry-After"] == str(told["retry_after"])
    timer.pass_by(told["retry_after"])
    assert granted(rates, claim)[0] == max(1, int(told["retry_after"] * a_second))


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4")
def test_a_customer_may_send_a_hundred_and_so_many_more_a_minute() -> None:
    timer = StandingTimer()
    rates = RateLimits(Rates(), timer)
    sent, names = 0, set()
    for _ in range(61):
        count, refused = granted(rates, claim_of(CUSTOMER, Policy.SEND, SESSION))
        sent += count
        names.add(refused and refused.members["policy"])
        timer.pass_by(1)
    assert sent == 200
    assert names == {"send", "send-minute"}


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4")
def test_sessions_that_are_made_up_give_nobody_more() -> None:
    rates = RateLimits(Rates(), StandingTimer())
    sent = 0
    for _ in range(1_000):
        try:
            rates.take(claim_of(CUSTOMER, Policy.SEND, SessionId(uuid4())))
            sent += 1
        except RateLimited as refused:
            assert refused.members["policy"] == "send-all"
    assert sent == 300


def test_nobody_uses_up_what_is_anothers() -> None:
    rates = RateLimits(Rates(), StandingTimer())
    granted(rates, claim_of(CUSTOMER, Policy.SEND, SESSION))
    same_id = somebody(TokenKind.CUSTOMER, WorkspaceId(uuid4()), CUSTOMER.actor.id)
    for other in (somebody(TokenKind.CUSTOMER), same_id, AGENT, KEY):
        rates.take(claim_of(other, Policy.SEND, SESSION))
    rates.take(claim_of(CUSTOMER, Policy.SEND, SessionId(uuid4())))
    rates.take(claim_of(CUSTOMER, Policy.TYPING, SESSION))


def test_several_claims_are_granted_together_or_not_at_all() -> None:
    rates = RateLimits(Rates(), StandingTimer())
    arrival = at(Policy.ARRIVAL, "192.0.2.1", HERE, "inbox")
    granted(rates, arrival)
    for _ in range(9):
        with pytest.raises(RateLimited) as refused:
            rates.take(claim_of(CUSTOMER, Policy.START), arrival)
        assert refused.value.members["policy"] == "arrival"
    assert granted(rates, claim_of(CUSTOMER, Policy.START))[0] == 5


@pytest.mark.parametrize(("factor", "burst"), [(10, 200), (0.5, 10), (0.001, 1)])
def test_a_factor_multiplies_all(factor: float, burst: int) -> None:
    rates = RateLimits(Rates(factor=factor), StandingTimer())
    assert granted(rates, TABLE["customer"][0])[0] == burst


def test_what_is_left_is_told_by_the_tightest_window() -> None:
    rates = RateLimits(Rates(), StandingTimer())
    first = fields([rates.take(claim_of(CUSTOMER, Policy.SEND, SESSION))])
    assert first == {
        "RateLimit-Policy": '"send";q=20;w=4, "send-minute";q=100;w=60, "send-all";q=300;w=60',
        "RateLimit": '"send";r=19;t=1',
    }
    _, refused = granted(rates, claim_of(CUSTOMER, Policy.SEND, SESSION))
    assert refused is not None
    assert refused.headers == first | {"RateLimit": '"send";r=0;t=1', "Retry-After": "1"}
    some: list[Taken] = [
        rates.take(claim_of(CUSTOMER, Policy.CHANGE)),
        rates.take(claim_of(CUSTOMER, Policy.START)),
    ]
    assert fields(some) == {
        "RateLimit-Policy": '"change";q=100;w=5, "start";q=5;w=60, "start-day";q=50;w=86400',
        "RateLimit": '"start";r=4;t=12',
    }


def test_refusals_are_counted_by_policy() -> None:
    rates = RateLimits(Rates(), StandingTimer())
    before = figures_of(metrics.exposition().decode())
    claim = at(Policy.SOCKET, "192.0.2.1")
    granted(rates, claim)
    granted(rates, claim)
    growth = grown(before, figures_of(metrics.exposition().decode()))
    assert growth[series("chat_rate_limited_total", policy="socket")] == 2
