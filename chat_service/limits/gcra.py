"""The generic cell rate algorithm (ITU-T I.371, annex A): how often something may happen. Pure.

A key is remembered by the moment at which it is as good as new, for each of its windows. Times are whole
nanoseconds of any clock that never goes back, handed in by who asks.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace
from itertools import count
from typing import Final, NamedTuple

SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Window:
    """`burst` at once, and another one each `interval` nanoseconds, up to `burst` again."""

    name: str
    burst: int
    interval: int

    @property
    def seconds(self) -> int:
        """In how many seconds all of `burst` have come back, rounded up."""
        return seconds_of(self.burst * self.interval)


def window(name: str, number: float, seconds: float, *, burst: float | None = None) -> Window:
    """`number` in so many seconds, of which `burst` may come at once: all of them if it is not told."""
    most = number if burst is None else burst
    return Window(name, max(1, round(most)), max(1, round(seconds * SECOND / number)))


class Left(NamedTuple):
    """What a key has left in one window, and in how many nanoseconds it has one more."""

    window: Window
    remaining: int
    wait: int


class Limiter:
    """Keys that may do something so often, in each of the windows: in all of them or not at all.

    At most so many keys are remembered. One that is as good as new is forgotten, and where there are
    too many, the one that will be so soonest: new keys never push out one that is held more than they.
    """

    __slots__ = ("windows", "_terms", "_most", "_free_at", "_order", "_number")

    def __init__(self, windows: Sequence[Window], *, most: int) -> None:
        self.windows = tuple(windows)
        # One takes an interval, and who took the whole burst is as good as new after all of its intervals.
        self._terms = [(each.interval, each.burst * each.interval) for each in windows]
        self._most = most
        self._free_at: dict[Hashable, list[int]] = {}
        # Each key once, by when it is as good as new: as that was when it was put there, so or later by now.
        self._order: list[tuple[int, int, Hashable]] = []
        self._number = count()

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._free_at)

    def refusal(self, key: Hashable, now: int) -> Left | None:
        """What keeps a key from going on: the window with the longest wait; None where nothing does."""
        free_at = self._free_at.get(key)
        if free_at is None:
            return None
        worst, longest, place = -1, 0, 0
        for interval, whole in self._terms:
            wait = free_at[place] + interval - whole - now
            if wait > longest:
                worst, longest = place, wait
            place += 1
        return None if worst < 0 else Left(self.windows[worst], 0, longest)

    def charge(self, key: Hashable, now: int) -> Left:
        """Count one more for a key that nothing keeps; the window of which least is left."""
        if self._order and self._order[0][0] <= now:
            self._settle_first(now)  # a little work each time, so that it never is much
        known = self._free_at.get(key)
        free_at = known or [now] * len(self._terms)
        tightest, least, wait, place = 0, -1, 0, 0
        for interval, whole in self._terms:
            free = free_at[place]
            free_at[place] = free = (free if free > now else now) + interval
            spare = whole - free + now
            if least < 0 or spare < least * interval:
                tightest, least, wait = place, spare // interval, interval - spare % interval
            place += 1
        if known is None:
            self._enter(key, free_at, now)
        return Left(self.windows[tightest], least, wait)

    def _enter(self, key: Hashable, free_at: list[int], now: int) -> None:
        while len(self._free_at) >= self._most:
            self._settle_first(now)
        self._free_at[key] = free_at
        heappush(self._order, (max(free_at), next(self._number), key))

    def _settle_first(self, now: int) -> None:
        """Forget the first in the order, or where it was counted since put it where it belongs."""
        noted, number, key = self._order[0]
        free_at = max(self._free_at[key])
        if free_at > max(noted, now):
            heapreplace(self._order, (free_at, number, key))
        else:
            heappop(self._order)
            del self._free_at[key]


Demand = tuple[Limiter, Hashable]


def take(demands: Sequence[Demand], now: int) -> tuple[bool, Left]:
    """Count one more for each key in its limiter, or where one of them refuses, for none.

    Whether it was granted, with the window of which least is left, or the one with the longest wait.
    """
    worst: Left | None = None
    for limiter, key in demands:
        refusal = limiter.refusal(key, now)
        if refusal is not None and (worst is None or refusal.wait > worst.wait):
            worst = refusal
    if worst is not None:
        return False, worst
    least: Left | None = None
    for limiter, key in demands:
        left = limiter.charge(key, now)
        if least is None or left.remaining < least.remaining:
            least = left
    assert least is not None, "nothing was demanded"
    return True, least


def seconds_of(nanoseconds: int) -> int:
    """Whole seconds, rounded up."""
    return -(-nanoseconds // SECOND)
