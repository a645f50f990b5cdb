"""The table: what each row measures beside what, and what is the goal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final, Protocol, TypeVar

from bench.contenders import Contender, Figures
from bench.limits import Limit, LimitRow, PlayedLimits, Subject


@dataclass(frozen=True)
class Beside:
    """A peer or limit, and how many times its operations a second the service must do."""

    name: str
    goal: float


@dataclass(frozen=True)
class Row:
    """A row of the table whose goal is a ratio of operations a second."""

    what: str
    service: str
    beside: tuple[Beside, ...]

    @property
    def order(self) -> tuple[str, ...]:
        """Who takes turns: the service stands next to each of at most two peers."""
        names = [peer.name for peer in self.beside]
        return (names[0], self.service, *names[1:])


ON_POSTGRES: Final = "service on PostgreSQL"
ON_SQLITE: Final = "service on SQLite"
PGBENCH: Final = "pgbench"
FASTAPI_ORM: Final = "FastAPI + SQLAlchemy ORM"
FASTAPI_CTE: Final = "FastAPI + asyncpg, one statement"
ORIGINAL: Final = "Hypercorn + quart-schema + ORM"
RAW_SQLITE: Final = "sqlite3, no HTTP"
BY_SOCKET: Final = "service by WebSocket"
ONE_PROCESS: Final = "service, one process"
TWO_PROCESSES: Final = "service, two processes"
NOTIFY: Final = "INSERT, NOTIFY, COMMIT"
RESTARTED: Final = "service"
IDLE: Final = "service, sockets that follow a session"
ECHO: Final = "ASGI echo"
STALLED: Final = "service, readers that stall"
FANNED_OUT: Final = "service, 1 000 sockets"
BROADCAST: Final = "Quart's broadcast, 1 000 sockets"

ROWS: Final[Mapping[int, Row | LimitRow]] = {
    1: Row("durable POST of a message", ON_POSTGRES, (Beside(PGBENCH, 0.8),)),
    2: Row("the same", ON_POSTGRES, (Beside(FASTAPI_ORM, 8), Beside(FASTAPI_CTE, 2))),
    3: Row("the same", ON_POSTGRES, (Beside(ORIGINAL, 12),)),
    4: Row("durable send over WebSocket", BY_SOCKET, (Beside(ON_POSTGRES, 2),)),
    5: Row("the same as 1, SQLite with synchronous=FULL", ON_SQLITE, (Beside(RAW_SQLITE, 1.0),)),
    7: LimitRow(
        "from a send to the other browser, 40 a second",
        (ONE_PROCESS, NOTIFY, TWO_PROCESSES),
        (
            Limit(ONE_PROCESS, "p50 ms", 4),
            Limit(ONE_PROCESS, "p99 ms", 15),
            Limit(TWO_PROCESSES, "p50 ms", 6),
            Limit(TWO_PROCESSES, "p99 ms", 25),
        ),
    ),
    11: LimitRow(
        "kill -9 with 2 000 widgets connected",
        (RESTARTED,),
        (
            Limit(RESTARTED, "first send s", 2),
            Limit(RESTARTED, "resumed p99 s", 5),
            Limit(RESTARTED, "queries a client", 1),
        ),
        most_runs=3,
    ),
    12: LimitRow(
        "what sockets weigh",
        (IDLE, ECHO, STALLED),
        (
            Limit(IDLE, "KiB a socket", 26),
            Limit(IDLE, "KiB a socket", 1.3, over=ECHO),
            Limit(STALLED, "MiB more at most", 64),
            Limit(STALLED, "MiB more when cut", 64),
        ),
        most_runs=1,
    ),
    13: LimitRow(
        "from a POST to 1 000 sockets, 50 a second",
        (FANNED_OUT, BROADCAST),
        (Limit(FANNED_OUT, "p99 ms", 25),),
    ),
}


@dataclass(frozen=True)
class Played:
    """A row that was played: for each round the figures of all who took a turn in it."""

    row: Row
    rounds: list[dict[str, Figures]]

    def ratios(self, peer: Beside) -> list[float]:
        """The service's operations a second over the peer's, round by round."""
        return [
            turns[self.row.service].per_second / turns[peer.name].per_second
            for turns in self.rounds
        ]

    def ratio(self, peer: Beside) -> float:
        """The median of the ratios."""
        return median(self.ratios(peer))


Told = TypeVar("Told", covariant=True)


class Turns(Protocol[Told]):
    """Somebody who takes turns."""

    def turn(self, seconds: int) -> Told: ...


def play(row: Row, build: Callable[[str], Contender], *, runs: int, seconds: int) -> Played:
    """Let all who belong to a row take turns, again and again; `build` gives one by its name."""
    return Played(row, _rounds({name: build(name) for name in row.order}, runs, seconds))


def look(
    row: LimitRow, build: Callable[[str], Subject], *, runs: int, seconds: int
) -> PlayedLimits:
    """The same for a row with limits."""
    subjects = {name: build(name) for name in row.order}
    return PlayedLimits(row, _rounds(subjects, min(runs, row.most_runs), seconds))


def _rounds(parties: Mapping[str, Turns[Told]], runs: int, seconds: int) -> list[dict[str, Told]]:
    rounds = []
    for number in range(1, runs + 1):
        turns = {}
        for name, party in parties.items():
            turns[name] = party.turn(seconds)
            print(f"  {number}/{runs} {name}: {_line(turns[name])}", flush=True)
        rounds.append(turns)
    return rounds


def _line(told: object) -> str:
    if isinstance(told, Figures):
        return f"{told.per_second:,.0f}/s"
    assert isinstance(told, Mapping)
    return ", ".join(f"{name} {value:,.4g}" for name, value in told.items())
