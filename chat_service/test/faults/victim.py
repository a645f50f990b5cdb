"""A server process to be killed, stopped and started again, on a port that stays the same.

It is what `chat-service serve` starts, with the profile `durable`; with `planted` it is the same
service with the faults of `planted`. It ends with the process that started it.
"""

import asyncio
import os
import random
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx2

from chat_service.test.starts import Process, start

START_SECONDS: Final = 60
STOP_SECONDS: Final = 40
SERVE: Final = ("chat_service.cli", "serve")
PLANTED: Final = ("chat_service.test.faults.planted",)
FAULTY_PART: Final = "FAULTY_PART"
PORTS: Final = range(15_000, 32_000)
"""Below the ports that systems give to clients: one of those could be taken while nobody listens."""
SETTINGS: Final = {
    "ENVIRONMENT": "test",
    "SERVER_BALANCER_SECONDS": "0",
    "AUTH_HASH_MEMORY_KIB": "64",
    "AUTH_HASH_ROUNDS": "1",
    "AUTH_CUSTOMER_TOKEN_SECONDS": "86400",
    "RATES_FACTOR": "1000000",
    "RATES_LATE_SECONDS": "60",
    "LOG_LEVEL": "error",
}


class DidNotStart(Exception):
    """A server did not start; tells what it wrote."""


class Victim:
    """One server process on the database `url`; `settings` are variables without their prefix."""

    def __init__(self, url: str, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"log-{self.port}"
        own = {
            "CONFIG_DIR": str(folder),
            "DATABASE_URL": url,
            "AUTH_SECRET_KEY_FILE": str(folder / "secret_key"),
            "SERVER_PORT": str(self.port),
        }
        self._settings = SETTINGS | own | dict(settings or {})
        self._process: Process | None = None
        self.pid = 0

    async def start(self, *, planted: bool = False, faulty: str = "") -> None:
        """Start and wait until it answers; raises DidNotStart. `faulty` names a part of `faulty`."""
        # The first start of all takes seconds.
        await asyncio.to_thread(self._launch, PLANTED if planted else SERVE, faulty)
        async with httpx2.AsyncClient() as client:
            async with asyncio.timeout(START_SECONDS):
                while not await self._answers(client):
                    if self.has_ended():
                        raise DidNotStart(self.log.read_text()[-2000:])
                    await asyncio.sleep(0.05)

    def kill(self) -> None:
        """End it by SIGKILL, stopped or not, and wait for its end."""
        self._signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> None:
        """End it in good order."""
        self._signal(signal.SIGTERM)
        self._wait()

    def sigterm(self) -> None:
        """Ask it to end in good order; `ended` waits for that."""
        self._signal(signal.SIGTERM)

    def sigstop(self) -> None:
        """Let it stand still where it is."""
        self._signal(signal.SIGSTOP)

    def sigcont(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def has_ended(self) -> bool:
        """Whether there is no process."""
        return self._process is None or self._process.poll() is not None

    async def ended(self) -> None:
        """Wait until it has ended by itself."""
        async with asyncio.timeout(STOP_SECONDS):
            while not self.has_ended():
                await asyncio.sleep(0.01)
        self._wait()

    async def stands_still(self) -> None:
        """Wait until it was stopped by SIGSTOP, by itself or by somebody else."""
        async with asyncio.timeout(STOP_SECONDS):
            while Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
                await asyncio.sleep(0.01)

    def _launch(self, command: tuple[str, ...], faulty: str) -> None:
        assert self.has_ended()
        others = {name: value for name, value in os.environ.items() if "CHAT_SERVICE_" not in name}
        own = {f"CHAT_SERVICE_{name}": value for name, value in self._settings.items()}
        with self.log.open("ab") as log, open(os.devnull, "rb") as nothing:
            self._process = start(
                *command,
                streams=(nothing, log, log),
                folder=Path("/"),
                variables=others | own | {FAULTY_PART: faulty},
            )
        self.pid = self._process.pid

    async def _answers(self, client: httpx2.AsyncClient) -> bool:
        with suppress(httpx2.TransportError):
            return (await client.get(f"{self.address}/health")).status_code == 200
        return False

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _wait(self) -> None:
        if self._process is not None:
            self._process.wait(STOP_SECONDS)
            self._process = None


def free_port() -> int:
    """A port that nobody listens on."""
    while True:
        port = random.choice(PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
