"""The fork server of `starts`: has imported what the service runs on, and forks once for each order.

Called as `python -m` this module with a socket as standard input. An order comes there as a line of
JSON with four files: a socket that is the life of the process, and its standard streams. The life
is told the process id and, in the end, the exit code; where it is closed first the process is
killed, and so are all when standard input ends. There are no threads here: they would not be forked.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector
from typing import Any

import chat_service.app  # noqa: F401  what nearly every command imports
import chat_service.test.builders  # noqa: F401  what the planted service imports besides
from chat_service.cli import COMMANDS
from chat_service.metrics import STARTED
from chat_service.test.starts import NUMBER

FILES = 4
Order = dict[str, Any]


class Forks:
    """The processes that live, each with its `life`."""

    def __init__(self) -> None:
        self._lives: dict[int, socket.socket] = {}
        self._orders = socket.socket(fileno=0)
        self._ends, self._end = socket.socketpair()
        self._end.setblocking(False)
        self._selector = DefaultSelector()
        for source in (self._orders, self._ends):
            self._selector.register(source, EVENT_READ)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._end.fileno())

    def serve(self) -> Order | None:
        """Fork and bury until the owner is gone; returns in each child too, with its order."""
        while True:
            source = self._selector.select()[0][0]
            if source.fileobj is self._ends:
                self._ends.recv(1000)
                self._bury()
            elif source.fileobj is not self._orders:
                self._abandon(source.data)
            elif (order := self._receive()) is None:
                self._abandon_all()
                return None
            elif order:
                return order

    def _receive(self) -> Order | None:
        """Fork for the next order: in the child that order, here an empty one; None at the end."""
        text, files, _, _ = socket.recv_fds(self._orders, 65536, FILES)
        while text and not text.endswith(b"\n"):
            text += self._orders.recv(65536)
        if not text:
            return None
        pid = os.fork()
        if pid == 0:
            self._close(files)
            return dict(json.loads(text))
        for file in files[1:]:
            os.close(file)
        self._lives[pid] = socket.socket(fileno=files[0])
        self._selector.register(self._lives[pid], EVENT_READ, pid)
        self._tell(pid, pid)
        return {}

    def _close(self, files: list[int]) -> None:
        """Leave a child nothing but its standard streams."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._orders.detach()
        self._selector.close()
        for ours in (self._ends, self._end, *self._lives.values()):
            ours.close()
        for place, file in enumerate(files[1:]):
            os.dup2(file, place)
        for file in files:
            os.close(file)

    def _bury(self) -> None:
        """Tell of those that have ended."""
        for pid in list(self._lives):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._tell(pid, os.waitstatus_to_exitcode(status))
                with suppress(KeyError):
                    self._selector.unregister(self._lives[pid])
                self._lives.pop(pid).close()

    def _tell(self, pid: int, number: int) -> None:
        with suppress(BrokenPipeError):
            self._lives[pid].send(NUMBER.pack(number))

    def _abandon(self, pid: int) -> None:
        """Nobody waits for it any more."""
        self._selector.unregister(self._lives[pid])
        os.kill(pid, signal.SIGKILL)

    def _abandon_all(self) -> None:
        for pid in self._lives:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def run(order: Order) -> None:
    """Become the process that was ordered."""
    os.chdir(order["folder"])
    if order["real"]:
        command = [sys.executable, "-m", order["module"], *order["arguments"]]
        os.execve(sys.executable, command, order["variables"])
    os.environ.clear()
    os.environ.update(order["variables"])
    sys.path[0] = order["folder"]
    sys.argv[1:] = order["arguments"]
    STARTED.set_to_current_time()
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    for name in COMMANDS:
        importlib.import_module(f"chat_service.cli.{name.replace('-', '_')}")
    gc.collect()
    gc.freeze()
    if order := Forks().serve():
        run(order)
