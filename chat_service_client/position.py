"""The client rule: apply an event if its number is the next one, and keep its cursor. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

Event = dict[str, Any]


class Gap(Exception):
    """An event is missing, which a service that keeps its promise never causes."""


class Position:
    """How far a session has been followed: the cursor to go on from, and the number behind it."""

    def __init__(self, cursor: str | None) -> None:
        self.cursor = cursor
        self.number = _number(cursor)

    def apply(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events that are new, each once and in order; what is behind is left out.

        Raises Gap where one is missing: go on from the cursor, to which it was not applied.
        """
        for event in events:
            number = event["seq"]
            if number <= self.number:
                continue
            if number != self.number + 1:
                raise Gap(f"event {number} came after {self.number}")
            self.number, self.cursor = number, event["cursor"]
            yield event


def _number(cursor: str | None) -> int:
    """A cursor names its number; 0 is the beginning."""
    return 0 if cursor is None else int(cursor.split(".")[2])
