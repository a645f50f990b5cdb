"""Where those who take turns are built: databases, services, peers, each when first asked for."""

import sqlite3
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Final

from bench.machine import Cores
from bench.servers import (
    PROGRAMS,
    Postgres,
    command_line,
    free_port,
    launched,
    post,
    process,
    service_variables,
)
from bench.talkers import Widget

COUNT: Final = "SELECT count(*) FROM chat_messages"


@dataclass(frozen=True)
class Seeded:
    """A service with its first workspace: how it is started, on which port, and who may what."""

    variables: dict[str, str]
    port: int
    inbox: str
    key: str
    """Of an API key, which may see every session."""

    def widget(self) -> Widget:
        """A new customer with a session; the service must run."""
        body = {"profile": {"name": "Ada"}}
        token = post(self.port, f"/v1/inboxes/{self.inbox}/customers", body)["access_token"]
        started = post(self.port, "/v1/sessions", {"client_session_id": "visit"}, token)
        return Widget(token, started["session"]["id"])


@dataclass(frozen=True)
class Served(Seeded):
    """One that runs."""

    pid: int


@dataclass(frozen=True)
class Crowd:
    """A service that is started anew for each turn, and its widgets."""

    seeded: Seeded
    widgets: list[Widget]


@dataclass
class Stage:
    """What was built stays until the run's `stack` ends."""

    folder: Path
    cores: Cores
    postgres: Postgres
    stack: ExitStack

    def __post_init__(self) -> None:
        self._services: dict[str, Served] = {}
        self._crowds: dict[str, Crowd] = {}

    def service(self, database: str) -> Served:
        """The running service on a PostgreSQL database of that name."""
        if database not in self._services:
            self._services[database] = self.serve(self.postgres.create(database))
        return self._services[database]

    def serve(self, url: str) -> Served:
        """A running service on a new database."""
        seeded = self.seed(url)
        pid = self.start(*_serve(seeded), port=seeded.port, **seeded.variables)
        return Served(**vars(seeded), pid=pid)

    def seed(self, url: str) -> Seeded:
        """A service that is not started, with its first workspace in a new database."""
        variables = service_variables(url, self.folder)
        command_line("migrate", variables=variables)
        demo = command_line("seed-demo", "--credentials", "-", variables=variables)
        told = dict(line.split(": ", 1) for line in demo.splitlines())
        return Seeded(variables, free_port(), told["inbox_key"], told["api_key"])

    def crowd(self, database: str, count: int) -> Crowd:
        """So many widgets of a service that does not run."""
        if database not in self._crowds:
            seeded = self.seed(self.postgres.create(database))
            with self.alone(seeded):
                widgets = [seeded.widget() for _ in range(count)]
            self._crowds[database] = Crowd(seeded, widgets)
        return self._crowds[database]

    def start(self, *command: str | Path, port: int, **variables: str) -> int:
        """Start a server on the front core; returns its process id."""
        return self.stack.enter_context(self.run(*command, port=port, **variables))

    def alone(self, seeded: Seeded) -> AbstractContextManager[int]:
        """Run a service for the length of a block, which gets its process id."""
        return self.run(*_serve(seeded), port=seeded.port, **seeded.variables)

    def run(self, *command: str | Path, port: int, **variables: str) -> AbstractContextManager[int]:
        """Run a server on the front core for the length of a block."""
        log = self.folder / f"{port}.log"
        core = self.cores.front
        return process(list(command), core=core, port=port, log=log, variables=variables)

    def launch(self, seeded: Seeded) -> "AbstractContextManager[Popen[bytes]]":
        """Run a service for the length of a block, and do not wait until it answers."""
        log = self.folder / f"{seeded.port}.log"
        core, variables = self.cores.front, seeded.variables
        return launched(_serve(seeded), core=core, log=log, variables=variables)


def count_postgres(postgres: Postgres, database: str) -> int:
    """How many messages are stored."""
    return int(postgres.query(COUNT, database))


def count_sqlite(file: Path) -> int:
    """The same of a SQLite file."""
    db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return int(db.execute(COUNT).fetchone()[0])
    finally:
        db.close()


def _serve(seeded: Seeded) -> list[str | Path]:
    return [PROGRAMS / "chat-service", "serve", "--port", str(seeded.port)]
