"""When a reader lags so far behind that its connection is to end. Pure: no I/O, no clock.

Owns the rule alone. What it was given and what waits for it, its subscription knows.
"""

from typing import Final

LAG_SECONDS: Final = 60.0


class Lag:
    """One reader's lag: too large beyond `events`, or where the newest waits for a minute.

    It is asked each time that something was given out, so that no reader is blamed for a time in
    which there was nothing to give. Times are of any clock that never goes back.
    """

    __slots__ = ("_events", "_mark", "_marked_at")

    def __init__(self, events: int) -> None:
        self._events = events
        self._mark = 0
        self._marked_at = 0.0

    def is_too_large(self, sent: int, behind: int, *, now: float) -> bool:
        """Whether a reader that was given all up to `sent`, and lacks `behind`, is to be ended.

        No time is kept for each event: a mark is set where the log ends, and set anew as soon as
        the reader has come to it, or the log was set back.
        """
        end = sent + behind
        if not sent < self._mark <= end:
            self._mark, self._marked_at = end, now
        return behind > self._events or now - self._marked_at > LAG_SECONDS
