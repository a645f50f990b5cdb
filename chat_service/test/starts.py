"""Processes of the service for tests: forked by a server that has imported it, or started anew.

A start costs a second of imports, of which a run of the tests would pay hundreds. So `python -m` of
a module that serves or commands is the work of one fork server, `forks`, for each process of pytest:
what it forks is a process of its own in every respect, but for the imports. Neither it nor anything
it has forked outlives the process that called `start`.
"""

import atexit
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import IO, Any, Final

REAL: Final = sys.platform == "darwin" or "COVERAGE_PROCESS_CONFIG" in os.environ
"""Fork nothing: there it is not safe after imports, and lines that are imported have to count."""
NUMBER: Final = struct.Struct("!i")
"""How a process id and an exit code come."""
SEND: Final = Lock()


class Process:
    """A process that was started; ended by SIGKILL when nobody holds this object any more."""

    def __init__(self, life: socket.socket) -> None:
        self._life = life
        self.pid = self._number()
        self.returncode: int | None = None

    def __del__(self) -> None:
        self._life.close()

    def poll(self) -> int | None:
        """The exit code, or minus the signal that ended it; None while it lives."""
        return self._ended_within(0)

    def wait(self, seconds: float) -> int:
        """Wait for the exit code; raises TimeoutError."""
        code = self._ended_within(seconds)
        if code is None:
            raise TimeoutError(f"process {self.pid} has not ended after {seconds} s")
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal if it lives."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it by SIGKILL, stopped or not, and wait for its end."""
        self.send_signal(signal.SIGKILL)
        self.wait(60)

    def _ended_within(self, seconds: float) -> int | None:
        if self.returncode is None:
            self._life.settimeout(seconds)
            with suppress(TimeoutError, BlockingIOError):
                self.returncode = self._number()
                self._life.close()
        return self.returncode

    def _number(self) -> int:
        (number,) = NUMBER.unpack(self._life.recv(NUMBER.size))
        return int(number)


def start(
    module: str,
    *arguments: str,
    streams: Sequence[IO[Any]],
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
    real: bool = False,
) -> Process:
    """Start `python -m MODULE ARGUMENTS` with these three standard streams.

    It runs in a folder and in an environment, else in those of the caller; `real` by an interpreter
    that has not imported anything. Blocks for seconds where it is the first start.
    """
    order = {
        "module": module,
        "arguments": arguments,
        "folder": str(folder or Path.cwd()),
        "variables": dict(variables or os.environ),
        "real": real or REAL,
    }
    ours, theirs = socket.socketpair()
    files = [theirs.fileno(), *(each.fileno() for each in streams)]
    with theirs, SEND:
        socket.send_fds(_forks(), [json.dumps(order).encode() + b"\n"], files)
    return Process(ours)


@cache
def _forks() -> socket.socket:
    """The way to the fork server of this process."""
    ours, theirs = socket.socketpair()
    with theirs:
        server = subprocess.Popen(
            [sys.executable, "-m", "chat_service.test.forks"],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def end() -> None:
        ours.close()
        server.wait()

    atexit.register(end)
    return ours
