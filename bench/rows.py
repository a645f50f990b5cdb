"""What each row of the table measures beside what, and how often it must be faster."""

import sqlite3
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from bench.contenders import (
    TEXT,
    Contender,
    Figures,
    Head,
    Http,
    Pgbench,
    RawSqlite,
    head,
    requests_of,
)
from bench.fill import fill
from bench.machine import Cores
from bench.servers import (
    PROGRAMS,
    Postgres,
    command_line,
    free_port,
    post,
    process,
    service_variables,
)

SESSIONS: Final = 1_000
COUNT: Final = "SELECT count(*) FROM chat_messages"
CONTENT: Final = {"content": {"type": "text", "text": TEXT}}


@dataclass(frozen=True)
class Beside:
    """A peer or limit, and how many times its operations a second the service must do."""

    name: str
    goal: float


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    what: str
    service: str
    beside: tuple[Beside, ...]

    @property
    def order(self) -> list[str]:
        """Who takes turns: the service stands next to each of at most two peers."""
        names = [peer.name for peer in self.beside]
        return [names[0], self.service, *names[1:]]


ON_POSTGRES: Final = "service on PostgreSQL"
ON_SQLITE: Final = "service on SQLite"
PGBENCH: Final = "pgbench"
FASTAPI_ORM: Final = "FastAPI + SQLAlchemy ORM"
FASTAPI_CTE: Final = "FastAPI + asyncpg, one statement"
ORIGINAL: Final = "Hypercorn + quart-schema + ORM"
RAW_SQLITE: Final = "sqlite3, no HTTP"

ROWS: Final = {
    1: Row("durable POST of a message", ON_POSTGRES, (Beside(PGBENCH, 0.8),)),
    2: Row("the same", ON_POSTGRES, (Beside(FASTAPI_ORM, 8), Beside(FASTAPI_CTE, 2))),
    3: Row("the same", ON_POSTGRES, (Beside(ORIGINAL, 12),)),
    5: Row("the same, SQLite with synchronous=FULL", ON_SQLITE, (Beside(RAW_SQLITE, 1.0),)),
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


@dataclass
class Stage:
    """Where contenders are built when first asked for; they stay until the run's `stack` ends."""

    folder: Path
    cores: Cores
    postgres: Postgres
    stack: ExitStack

    def __post_init__(self) -> None:
        self._built: dict[str, Contender] = {}

    def contender(self, name: str) -> Contender:
        """The one of that name, started and filled."""
        if name not in self._built:
            self._built[name] = BUILDERS[name](self)
        return self._built[name]

    def start(self, *command: str | Path, port: int, **variables: str) -> int:
        """Start a server on the front core; returns its process id."""
        log = self.folder / f"{port}.log"
        running = process(
            list(command), core=self.cores.front, port=port, log=log, variables=variables
        )
        return self.stack.enter_context(running)


def play(row: Row, stage: Stage, *, runs: int, seconds: int) -> Played:
    """Let all who belong to a row take turns, again and again."""
    contenders = {name: stage.contender(name) for name in row.order}
    rounds = []
    for number in range(1, runs + 1):
        turns = {}
        for name, contender in contenders.items():
            turns[name] = contender.turn(seconds)
            print(f"  {number}/{runs} {name}: {turns[name].per_second:,.0f}/s", flush=True)
        rounds.append(turns)
    return Played(row, rounds)


def _service_on_postgres(stage: Stage) -> Contender:
    url = stage.postgres.create("chat")
    count = partial(_count_postgres, stage.postgres, "chat")
    prepare = partial(stage.postgres.settle, "chat")
    port, pid, heads = _service(stage, url)
    return Http(port, pid, requests_of(heads), count, prepare, backend=stage.postgres.pid)


def _service_on_sqlite(stage: Stage) -> Contender:
    file = stage.folder / "service" / "chat.db"
    port, pid, heads = _service(stage, f"sqlite:///{file}")
    return Http(port, pid, requests_of(heads), partial(_count_sqlite, file), lambda: None)


def _service(stage: Stage, url: str) -> tuple[int, int, list[Head]]:
    """A service with sessions; returns its port, its process id and the heads of requests."""
    variables = service_variables(url, stage.folder)
    command_line("migrate", variables=variables)
    demo = command_line("seed-demo", "--credentials", "-", variables=variables)
    inbox = dict(line.split(": ", 1) for line in demo.splitlines())["inbox_key"]
    port = free_port()
    command = (PROGRAMS / "chat-service", "serve", "--port", str(port))
    pid = stage.start(*command, port=port, **variables)
    return port, pid, [_session_of_service(port, inbox) for _ in range(SESSIONS)]


def _session_of_service(port: int, inbox: str) -> Head:
    begun = post(port, f"/v1/inboxes/{inbox}/customers", {"profile": {"name": "Ada"}})
    token = begun["access_token"]
    started = post(port, "/v1/sessions", {"client_session_id": "visit"}, token)
    return head(f"/v1/sessions/{started['session']['id']}/messages", CONTENT, token)


def _peer(stage: Stage, name: str, *command: str | Path) -> Contender:
    """A peer with a database and sessions of its own; "PORT" in the command stands for its port."""
    url, port = stage.postgres.create(name), free_port()
    words = [str(word).replace("PORT", str(port)) for word in command]
    pid = stage.start(*words, port=port, DATABASE_URL=url)
    ids = [post(port, "/sessions", {})["id"] for _ in range(SESSIONS)]
    heads = [head(f"/sessions/{session}/messages", {"text": TEXT}) for session in ids]
    count = partial(_count_postgres, stage.postgres, name)
    prepare = partial(stage.postgres.settle, name)
    return Http(port, pid, requests_of(heads), count, prepare, backend=stage.postgres.pid)


def _uvicorn(stage: Stage, name: str) -> Contender:
    command = (PROGRAMS / "uvicorn", f"bench.peers.{name}:app", "--port", "PORT")
    return _peer(stage, name, *command, "--log-level", "warning", "--no-access-log")


def _hypercorn(stage: Stage, name: str) -> Contender:
    command = (PROGRAMS / "hypercorn", f"bench.peers.{name}:app", "--workers", "1")
    return _peer(stage, name, *command, "--bind", "127.0.0.1:PORT", "--log-level", "warning")


def _pgbench(stage: Stage) -> Contender:
    url = stage.postgres.create("pgbench")
    command_line("migrate", variables=service_variables(url, stage.folder))
    return Pgbench(stage.postgres, "pgbench", fill(url), stage.cores.front, stage.folder)


def _raw_sqlite(stage: Stage) -> Contender:
    file = stage.folder / "raw" / "chat.db"
    url = f"sqlite:///{file}"
    command_line("migrate", variables=service_variables(url, stage.folder))
    return RawSqlite(file, fill(url), stage.cores.front, partial(_count_sqlite, file))


def _count_postgres(postgres: Postgres, database: str) -> int:
    return int(postgres.query(COUNT, database))


def _count_sqlite(file: Path) -> int:
    db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return int(db.execute(COUNT).fetchone()[0])
    finally:
        db.close()


BUILDERS: Final[dict[str, Callable[[Stage], Contender]]] = {
    ON_POSTGRES: _service_on_postgres,
    ON_SQLITE: _service_on_sqlite,
    PGBENCH: _pgbench,
    FASTAPI_ORM: lambda stage: _uvicorn(stage, "fastapi_orm"),
    FASTAPI_CTE: lambda stage: _uvicorn(stage, "fastapi_cte"),
    ORIGINAL: lambda stage: _hypercorn(stage, "original"),
    RAW_SQLITE: _raw_sqlite,
}
