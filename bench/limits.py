"""Rows whose goal is a limit and no ratio of operations: how late, how much memory, how many queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

Readings = Mapping[str, float]
"""What one turn came to: figures by name, with their unit in it."""


class Subject(Protocol):
    """Somebody who is looked at, by turns."""

    def turn(self, seconds: int) -> Readings:
        """Be looked at for about that long; raises LoadError where something was lost."""


@dataclass(frozen=True)
class Limit:
    """What a figure of `who` may be at most: a number, or with `over` so many times a peer's."""

    who: str
    figure: str
    at_most: float
    over: str | None = None


@dataclass(frozen=True)
class LimitRow:
    """A row of the table; all of `order` take turns, `most_runs` where one tells as much as five."""

    what: str
    order: tuple[str, ...]
    limits: tuple[Limit, ...]
    most_runs: int = 100


@dataclass(frozen=True)
class PlayedLimits:
    """A row that was played: for each round the readings of all who took a turn in it."""

    row: LimitRow
    rounds: Sequence[Mapping[str, Readings]]

    def values(self, limit: Limit) -> list[float]:
        """What is held against the limit, round by round."""
        return [
            turns[limit.who][limit.figure]
            / (1 if limit.over is None else turns[limit.over][limit.figure])
            for turns in self.rounds
        ]

    def value(self, limit: Limit) -> float:
        """Their median."""
        return median(self.values(limit))

    def middle(self, who: str) -> Readings:
        """The median of each figure of somebody."""
        readings = [turns[who] for turns in self.rounds]
        return {name: median(each[name] for each in readings) for name in readings[0]}
