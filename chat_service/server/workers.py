"""The parent of several serving processes: starts them, passes signals on, replaces the dead.

Owns the children's life and nothing of HTTP: it holds the listening socket and never accepts. A
child that has lost its parent ends by itself, see `runner.serve_child`.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from chat_service.server.figures import forget, variables_of
from chat_service.server.process import SIGNALS

# How a child's start-up ends when no other attempt can succeed: a wrong configuration, a database
# that is not at its head. Where others serve already it is tried again: they must not end by it.
FATAL: Final = (3, 4)
# A child that had not yet learnt to drain is ended by the signal itself, which loses nothing.
CLEAN: Final = (0, -signal.SIGTERM)
BACKOFF_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class _Slot:
    """The place of one child, whoever fills it at the time."""

    channel: asyncio.StreamWriter

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: asyncio.subprocess.Process | None = None
        self.serving = asyncio.Event()

    def send_signal(self, sig: int) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(sig)

    def retire(self) -> None:
        """Ask the child to finish and end; its place is filled again when it has."""
        self.serving.clear()
        self.channel.close()


class Workers:
    """The parent's event loop: `count` children that run `command`.

    `figures` is the folder where they keep what they count, if they share it.
    """

    def __init__(
        self,
        command: Sequence[str],
        sock: socket.socket,
        count: int,
        *,
        ready: Callable[[], None],
        figures: str | None = None,
    ) -> None:
        self._command = command
        self._sock = sock
        self._ready = ready
        self._figures = figures
        self._slots = [_Slot(number) for number in range(count)]
        self._hangup = asyncio.Event()
        self._served = False
        self._stopping = False
        self._exit_code = 0

    async def run(self) -> int:
        """Keep the children until a signal; returns the exit code, as `runner.serve` does.

        The first is passed on and drains the children, a second one ends them at once.
        """
        loop = asyncio.get_running_loop()
        for sig in SIGNALS:
            loop.add_signal_handler(sig, self._stop, sig)
        loop.add_signal_handler(signal.SIGHUP, self._hangup.set)
        restarts = loop.create_task(self._restart_on_hangup())
        async with asyncio.TaskGroup() as keepers:
            for slot in self._slots:
                keepers.create_task(self._keep(slot))
        restarts.cancel()
        return self._exit_code

    def _stop(self, sig: int) -> None:
        again, self._stopping = self._stopping, True
        if again or sig == signal.SIGINT:
            self._exit_code = 128 + sig
        # Once the children stop accepting, a connection is refused and not left waiting.
        self._sock.close()
        for slot in self._slots:
            slot.send_signal(signal.SIGKILL if again else sig)

    async def _restart_on_hangup(self) -> None:
        """Restart one after the other: the next goes when the one before it is replaced."""
        while True:
            await self._hangup.wait()
            self._hangup.clear()
            for slot in self._slots:
                await slot.serving.wait()
                slot.retire()
                await slot.serving.wait()

    async def _keep(self, slot: _Slot) -> None:
        """Fill one place again and again until the whole stops."""
        while not self._stopping:
            if not await self._fill(slot):
                await asyncio.sleep(BACKOFF_SECONDS)

    async def _fill(self, slot: _Slot) -> bool:
        """Start a child and see it end; returns whether another may follow at once."""
        try:
            served, code = await self._live(slot)
        except OSError as error:
            # Too little memory or too few descriptors: the other children must not end by it.
            log.error("worker_not_started", error=str(error))
            return False
        if self._stopping or (served and code in CLEAN):
            return True
        log.warning("worker_ended", exit_code=code, served=served)
        if code in FATAL and not self._served:
            self._stop(signal.SIGTERM)
            self._exit_code = code
        return self._stopping

    async def _live(self, slot: _Slot) -> tuple[bool, int]:
        """The life of one child; returns whether it ever served, and its exit code."""
        ours, theirs = socket.socketpair()
        with theirs:
            # In a group of its own, so that Ctrl-C reaches the parent alone and is passed on once.
            slot.process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=theirs.fileno(),
                pass_fds=[self._sock.fileno()],
                process_group=0,
                env=self._environment(slot),
            )
        if self._stopping:
            slot.send_signal(signal.SIGTERM)
        reader, slot.channel = await asyncio.open_connection(sock=ours)
        served = await reader.read(1) != b""
        if served:
            self._serves(slot)
        code = await slot.process.wait()
        if self._figures is not None:
            forget(slot.number, self._figures)
        slot.retire()
        return served, code

    def _environment(self, slot: _Slot) -> dict[str, str]:
        if self._figures is None:
            return dict(os.environ)
        return os.environ | variables_of(slot.number, self._figures)

    def _serves(self, slot: _Slot) -> None:
        slot.serving.set()
        if not self._served:
            self._served = True
            self._ready()
