"""When to try again: exponential back-off with full jitter. Pure."""

from dataclasses import dataclass
from random import uniform

import httpx2

from chat_service_client.errors import Problem

FIRST_SECONDS = 0.5
MOST_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""A connection that held so long worked; one that is cut sooner may be part of the trouble."""


@dataclass(slots=True)
class Backoff:
    """The waits of one thing that is tried again and again.

    A connection that was there for `steady` seconds makes the next failure a first one.
    """

    seconds: float = FIRST_SECONDS
    steady: float = STEADY_SECONDS

    def next(self, asked: float | None = None) -> float:
        """How long to wait now, in seconds; at least what the service asked for."""
        wait = uniform(0, self.seconds)
        self.seconds = min(self.seconds * 2, MOST_SECONDS)
        return max(wait, asked or 0.0)

    def held(self, seconds: float) -> None:
        """A connection was there so long before it ended."""
        if seconds >= self.steady:
            self.seconds = FIRST_SECONDS


def wait_after(error: Exception, backoff: Backoff) -> float | None:
    """Seconds to wait before the same request goes out again; None where it must not."""
    if isinstance(error, Problem):
        return backoff.next(error.retry_after) if error.retryable else None
    return backoff.next() if isinstance(error, httpx2.TransportError) else None
