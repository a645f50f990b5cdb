"""Small questions about numbers, keys and times that several checks ask."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from itertools import accumulate
from typing import TypeVar

Item = TypeVar("Item")
Group = TypeVar("Group", bound=Hashable)


def grouped(items: Iterable[Item], key: Callable[[Item], Group]) -> dict[Group, list[Item]]:
    """The items of each key, in their order."""
    groups: dict[Group, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def repeated(items: Iterable[Group]) -> list[tuple[Group, int]]:
    """What occurs more than once, and how often."""
    return [(item, times) for item, times in Counter(items).items() if times > 1]


def first_gap(numbers: Iterable[int]) -> str | None:
    """Where numbers leave the count 1, 2, 3 …; None if they do not."""
    for wanted, found in enumerate(numbers, 1):
        if found != wanted:
            return f"{found} stands where {wanted} should"
    return None


def highest_before(ended: Iterable[tuple[float, int]]) -> Callable[[float], int]:
    """Of numbers and the times they were known by, the highest known before a time, else 0."""
    known = sorted(ended)
    times = [time for time, _ in known]
    highest = [0, *accumulate((number for _, number in known), max)]
    return lambda time: highest[bisect_left(times, time)]
