"""The limiter beside a slow bucket of fractions, and what it forgets where there are too many keys."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.limits.gcra import SECOND, Limiter, Window, seconds_of, take, window

WINDOWS = st.lists(
    st.builds(Window, st.just("w"), st.integers(1, 6), st.integers(1, 40)), min_size=1, max_size=3
)
ASKED = st.lists(st.tuples(st.integers(0, 30), st.sampled_from("ab")), max_size=60)
"""After how many nanoseconds each key asks again."""


class Bucket:
    """A window as everybody imagines it: it is full at first, and fills up by and by."""

    def __init__(self, window: Window) -> None:
        self.window, self.tokens, self.at = window, Fraction(window.burst), 0

    def fill(self, now: int) -> Fraction:
        """What is there by now."""
        gained = Fraction(now - self.at, self.window.interval)
        self.tokens, self.at = min(Fraction(self.window.burst), self.tokens + gained), now
        return self.tokens


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4")
@given(WINDOWS, ASKED)
def test_grants_what_a_bucket_for_each_window_grants(
    windows: list[Window], asked: list[tuple[int, str]]
) -> None:
    limiter, now = Limiter(windows, most=100), 0
    buckets = {key: [Bucket(each) for each in windows] for key in "ab"}
    for pause, key in asked:
        now += pause
        there = [bucket.fill(now) for bucket in buckets[key]]
        granted, left = take([(limiter, key)], now)
        assert granted is all(tokens >= 1 for tokens in there)
        if granted:
            for bucket in buckets[key]:
                bucket.tokens -= 1
            assert left.remaining == min(int(bucket.tokens) for bucket in buckets[key])
            assert 0 < left.wait <= left.window.interval
        else:
            worst = max((1 - bucket.tokens) * bucket.window.interval for bucket in buckets[key])
            assert left.wait == worst


@given(WINDOWS, WINDOWS, ASKED)
def test_several_limiters_grant_together_or_not_at_all(
    some: list[Window], others: list[Window], asked: list[tuple[int, str]]
) -> None:
    apart, joined, now = (
        [Limiter(some, most=9), Limiter(others, most=9)],
        Limiter(some + others, most=9),
        0,
    )
    for pause, key in asked:
        now += pause
        assert take([(limiter, key) for limiter in apart], now)[0] is take([(joined, key)], now)[0]


@given(WINDOWS, ASKED, st.integers(0, 30))
def test_who_waits_as_long_as_told_is_granted_and_no_sooner(
    windows: list[Window], asked: list[tuple[int, str]], early: int
) -> None:
    limiter, now = Limiter(windows, most=9), 0
    for pause, _ in asked:
        now += pause
        granted, left = take([(limiter, "key")], now)
        if not granted:
            assert limiter.refusal("key", now + left.wait) is None
            assert limiter.refusal("key", now + left.wait - 1) is not None
            assert (limiter.refusal("key", now + early) is None) is (early >= left.wait)


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4")
@given(
    st.builds(Window, st.just("w"), st.integers(2, 6), st.integers(1, 40)),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), max_size=60),
)
def test_new_keys_push_out_nobody_who_is_held_more(
    window: Window, asked: list[tuple[int, int]]
) -> None:
    small, large, now = Limiter([window], most=3), Limiter([window], most=1_000), 0
    for number, (pause, new) in enumerate(asked):
        now += pause
        held = [take([(limiter, "held")], now) for limiter in (small, large)]
        while held[0][0]:
            assert held[0] == held[1]
            held = [take([(limiter, "held")], now) for limiter in (small, large)]
        assert held[0] == held[1]
        for place in range(new):
            small.charge((number, place), now)
        assert len(small) <= 3


@pytest.mark.asvs("2.4.1")
@pytest.mark.api_top10("API4")
def test_a_flood_of_keys_is_bounded_and_frees_nobody() -> None:
    limiter = Limiter([window("send", 100, 60)], most=100)
    for _ in range(100):
        assert take([(limiter, "held")], 0)[0]
    for number in range(10_000):
        limiter.charge(number, number)
        assert len(limiter) <= 100
    assert limiter.refusal("held", 10_000) is not None


def test_who_is_as_good_as_new_is_forgotten_by_and_by() -> None:
    limiter = Limiter([window("send", 1, 1)], most=1_000)
    for number in range(100):
        limiter.charge(number, 0)
    assert len(limiter) == 100
    for number in range(100):
        limiter.charge("other", (number + 1) * SECOND)
    assert len(limiter) == 1


def test_of_many_the_one_held_least_goes_first() -> None:
    limiter = Limiter([window("send", 3, 3)], most=3)
    for key, times in (("once", 1), ("thrice", 3), ("twice", 2)):
        for _ in range(times):
            limiter.charge(key, 0)
    limiter.charge("new", 0)
    granted = {key: take([(limiter, key)], 0)[1].remaining for key in ("thrice", "twice")}
    assert granted == {"thrice": 0, "twice": 0}
    assert limiter.refusal("thrice", 0) is not None
    assert take([(limiter, "once")], 0)[1].remaining == 2


@pytest.mark.parametrize(
    ("made", "burst", "seconds"),
    [
        (window("a", 100, 60), 100, 60),
        (window("a", 5, 1, burst=20), 20, 4),
        (window("a", 7, 1, burst=20), 20, 3),
        (window("a", 0.2, 1), 1, 5),
        (window("a", 0.001, 1, burst=0.004), 1, 1_000),
    ],
)
def test_a_window_tells_when_all_has_come_back(made: Window, burst: int, seconds: int) -> None:
    assert (made.burst, made.seconds) == (burst, seconds)


def test_seconds_are_rounded_up() -> None:
    assert [seconds_of(each) for each in (0, 1, SECOND, SECOND + 1)] == [0, 1, 1, 2]
