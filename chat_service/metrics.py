"""The figures of the service for Prometheus: every counter, histogram and gauge is defined here.

Owns their names and labels, and the text they are told in. Leaves who may read them to `operations`, and
where workers share them to `server`. No label names a person, a chat or a workspace, and an address goes by
its rule, never by its path.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector

from chat_service.tally import Tally

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The library's variable: where workers share their figures. It counts when this is imported."""
WORKER: Final = "CHAT_WORKER"
"""A worker's place among the others, a number; `server.figures` sets both."""
SAMPLE_SECONDS: Final = 1.0

disable_created_metrics()  # type: ignore[no-untyped-call]
if WORKER in os.environ:
    # The files of a worker go by its place and not by its process id: who is next in that place counts
    # on, so there are never more files than places, however often workers are replaced.
    values.ValueClass = values.MultiProcessValue(  # type: ignore[no-untyped-call]
        lambda: os.environ[WORKER]
    )

REGISTRY: Final = CollectorRegistry()

REQUESTS: Final = Counter(
    "chat_requests",
    "Requests answered, by the rule of their address.",
    ("rule", "method", "status"),
    registry=REGISTRY,
)
REQUEST_SECONDS: Final = Histogram(
    "chat_request_seconds",
    "How long the answer to a request took, from its whole body to its first byte.",
    ("rule", "method"),
    buckets=(0.005, 0.01, 0.025, 0.1, 0.5, 2.5),
    registry=REGISTRY,
)
MESSAGES: Final = Counter(
    "chat_messages_acknowledged",
    "Messages durable in the database: new ones, and repeats that found theirs stored.",
    ("kind",),
    registry=REGISTRY,
)
NEW_MESSAGES: Final = MESSAGES.labels("new")
REPEATED_MESSAGES: Final = MESSAGES.labels("repeated")
DRAFTS_WAITING: Final = Gauge(
    "chat_lane_drafts_waiting",
    "Messages that wait for their batch.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
BATCH_DRAFTS: Final = Histogram(
    "chat_batch_drafts",
    "Messages that shared a batch.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
    registry=REGISTRY,
)
COMMIT_SECONDS: Final = Histogram(
    "chat_commit_seconds",
    "How long the database took to commit a transaction that made a log longer.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
    registry=REGISTRY,
)
OVERLOADED: Final = Counter(
    "chat_overloaded",
    "What was refused with 503 overloaded: the lane was full, or too full for newcomers or customers "
    "(or the event loop late), a draft waited too long in it, "
    "too many passwords waited, or one caller had too many streams and long-polls.",
    ("reason",),
    registry=REGISTRY,
)
LANE_FULL: Final = OVERLOADED.labels("lane_full")
LANE_LATE: Final = OVERLOADED.labels("lane_late")
PASSWORDS_FULL: Final = OVERLOADED.labels("passwords")
STREAMS_FULL: Final = OVERLOADED.labels("streams")
RATE_LIMITED: Final = Counter(
    "chat_rate_limited", "What was refused with 429 rate_limited.", ("policy",), registry=REGISTRY
)
SIGN_INS_REFUSED: Final = Counter(
    "chat_sign_ins_refused",
    "Tries at signing in that were refused: wrong, or too many before them.",
    ("reason",),
    registry=REGISTRY,
)
SIGN_INS_WRONG: Final = SIGN_INS_REFUSED.labels("wrong")
SIGN_INS_TOO_MANY: Final = SIGN_INS_REFUSED.labels("too_many")
IDENTITIES_REFUSED: Final = Counter(
    "chat_identities_refused", "Identity tokens that were not believed.", registry=REGISTRY
)
LETTERS: Final = Counter(
    "chat_letters", "Letters by e-mail, by what became of them.", ("outcome",), registry=REGISTRY
)
CONNECTIONS_IN_USE: Final = Gauge(
    "chat_database_connections_in_use",
    "Connections to the database that a request or a batch has at the moment.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
CONNECTIONS_ALLOWED: Final = Gauge(
    "chat_database_connections_allowed",
    "Connections to the database that may be in use at once.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
DATABASE: Final = Gauge(
    "chat_database_info",
    "Which database is served, and how durable: with the profile fast the last messages may be lost.",
    ("backend", "profile"),
    multiprocess_mode="livemax",
    registry=REGISTRY,
)
STARTED: Final = Gauge(
    "chat_process_start_time_seconds",
    "When a process began, in seconds of Unix time; with several workers `pid` is a worker's place.",
    multiprocess_mode="liveall",
    registry=REGISTRY,
)
STARTED.set_to_current_time()

CONNECTIONS: Final = Gauge(
    "chat_connections",
    "Live connections of known callers: sockets, streams, long-polls that wait.",
    ("kind",),
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
FOLLOWED_SESSIONS: Final = Gauge(
    "chat_followed_sessions",
    "Sessions that a connection follows; one that two workers have counts twice.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
FEEDS: Final = Gauge(
    "chat_feeds",
    "Workspaces whose log is read as it grows; one that two workers have counts twice.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
FEED_LAG: Final = Gauge(
    "chat_feed_lag_rows",
    "Rows of a log that were heard of and are not read yet, where there are most.",
    multiprocess_mode="livemax",
    registry=REGISTRY,
)
RESETS: Final = Counter(
    "chat_resets",
    "Connections that had to begin a session anew, with a snapshot.",
    ("reason",),
    registry=REGISTRY,
)
CLOSES: Final = Counter(
    "chat_socket_closes",
    "Sockets that the service closed; 4008 are clients that were too slow.",
    ("code",),
    registry=REGISTRY,
)
BROKER_UP: Final = Gauge(
    "chat_broker_up",
    "1 while every worker hears the others by the broker, else 0.",
    multiprocess_mode="livemin",
    registry=REGISTRY,
)
HEAD_CHECKS: Final = Counter(
    "chat_head_checks",
    "Comparisons of the feeds with the ends of their logs, by which a lost hint is found.",
    ("kind",),
    registry=REGISTRY,
)
HEAD_CHECKS_DONE: Final = HEAD_CHECKS.labels("done")
HEAD_CHECKS_FAILED: Final = HEAD_CHECKS.labels("failed")
EVENTS_DELIVERED: Final = Tally(
    Counter(
        "chat_events_delivered",
        "Events handed to connections, each of them once for each connection.",
        registry=REGISTRY,
    )
)
_BROKER_MESSAGES: Final = Counter(
    "chat_broker_messages",
    "Messages to and from other processes by the broker.",
    ("kind",),
    registry=REGISTRY,
)
BROKER_PUBLISHED: Final = Tally(_BROKER_MESSAGES.labels("published"))
BROKER_RECEIVED: Final = Tally(_BROKER_MESSAGES.labels("received"))
TALLIES: Final = (EVENTS_DELIVERED, BROKER_PUBLISHED, BROKER_RECEIVED)

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def of_snapshots(oldest_seconds: float, hidden: int) -> list[Metric]:
    """Who holds a snapshot of the database is asked at each reading."""
    oldest = "How long the oldest transaction has kept dead rows from being removed."
    unseen = "Transactions whose age the service's database role may not see."
    return [
        GaugeMetricFamily("chat_oldest_snapshot_seconds", oldest, value=oldest_seconds),
        GaugeMetricFamily("chat_snapshots_hidden", unseen, value=hidden),
    ]


def count_request(rule: str | None, method: str, status: int, seconds: float) -> None:
    """Count an answered request; `rule` is None where no address fits."""
    # Both may be any text of a client's choice, of which there must not be a series each.
    method = method if method in METHODS else "other"
    requests, lasted = _of_request(rule or "none", method, status)
    requests.inc()
    lasted.observe(seconds)


@cache
def _of_request(rule: str, method: str, status: int) -> tuple[Counter, Histogram]:
    """Finding a series costs more than counting in it."""
    return REQUESTS.labels(rule, method, status), REQUEST_SECONDS.labels(rule, method)


class Sampler:
    """Gauges whose values are looked up once a second, so that whoever changes them pays nothing."""

    def __init__(self) -> None:
        self._looks: list[tuple[Gauge, Callable[[], float]]] = []

    def add(self, gauge: Gauge, look: Callable[[], float]) -> None:
        """Have `gauge` show what `look` returns, which must be quick and must not fail."""
        self._looks.append((gauge, look))

    def sample(self) -> None:
        """Look now, and hear what was counted since."""
        for gauge, look in self._looks:
            gauge.set(look())
        for tally in TALLIES:
            tally.tell()

    async def run(self) -> None:
        """Look again and again: another worker may be the one that is asked."""
        while True:
            self.sample()
            await asyncio.sleep(SAMPLE_SECONDS)


def exposition(asked: Sequence[Metric] = ()) -> bytes:
    """The figures of all workers and those just `asked` for, as text of CONTENT_TYPE.

    Reads the files of every worker, which takes milliseconds: not for the event loop.
    """
    shown = CollectorRegistry()
    if FOLDER in os.environ:
        MultiProcessCollector(shown)  # type: ignore[no-untyped-call]
    else:
        shown.register(REGISTRY)
    return generate_latest(shown) + generate_latest(_Asked(asked))


class _Asked(CollectorRegistry):
    """Figures that were made for one reading."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        super().__init__()
        self._metrics = metrics

    def collect(self) -> Sequence[Metric]:
        return self._metrics
