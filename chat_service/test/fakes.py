"""Stand-ins that are handed in, never patched in."""

from datetime import datetime, timedelta

from chat_service.schema import utc_now


class TurningClock:
    """The real time, turned forwards or backwards by a test."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.offset

    def turn(self, **by: float) -> None:
        """Move the time, by the arguments of timedelta."""
        self.offset += timedelta(**by)

    def reset(self) -> None:
        """Show the real time again."""
        self.offset = timedelta()


class StandingTimer:
    """Nanoseconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.now += round(seconds * 1_000_000_000)
