"""The program as a user runs it: a process of its own, in a folder and an environment of its own."""

import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import httpx2

from chat_service.app import create_app
from chat_service.config import Auth, Config, Database
from chat_service.test.starts import Process, start

SECONDS = 60


@dataclass
class Shell:
    """A folder to run commands in, and the settings they find in their environment."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The database of the commands."""
        return self.settings.get("DATABASE_URL", f"sqlite:///{self.folder / 'var' / 'chat.db'}")

    def run(
        self, *arguments: str, given: str = "", real: bool = False, **settings: str
    ) -> "Finished":
        """A command that ends by itself; `real` as in `starts`."""
        with TemporaryFile("w+") as stdin, TemporaryFile("w+") as out, TemporaryFile("w+") as err:
            stdin.write(given)
            stdin.seek(0)
            process = self._start(arguments, (stdin, out, err), settings, real)
            return Finished(process.wait(SECONDS), written(out), written(err))

    @contextmanager
    def serving(self, *arguments: str, real: bool = False, **settings: str) -> Iterator[list[str]]:
        """A server on a free port; the lines it says first. It must end well when it is told to."""
        words = ("serve", "--port", "0", *arguments)
        read, write = os.pipe()
        with open(read) as stderr, open(os.devnull, "r+") as nothing:
            with open(write, "w") as theirs:
                process = self._start(words, (nothing, nothing, theirs), settings, real)
            try:
                yield list(first_lines(stderr))
                process.send_signal(signal.SIGTERM)
                assert process.wait(SECONDS) == 0
            finally:
                process.kill()

    def _start(
        self,
        arguments: Sequence[str],
        streams: Sequence[IO[str]],
        settings: dict[str, str],
        real: bool,
    ) -> Process:
        return start(
            "chat_service.cli",
            *arguments,
            streams=streams,
            folder=self.folder,
            variables=self.environment(settings),
            real=real,
        )

    def environment(self, settings: dict[str, str]) -> dict[str, str]:
        outer = {k: v for k, v in os.environ.items() if not k.startswith("CHAT_SERVICE_")}
        inner = {"DATABASE_URL": self.url, "AUTH_HASH_MEMORY_KIB": "64", "AUTH_HASH_ROUNDS": "1"}
        inner |= {"SERVER_BALANCER_SECONDS": "0", "RATES_LATE_SECONDS": "60"}
        inner |= self.settings | settings
        return outer | {f"CHAT_SERVICE_{name}": text for name, text in inner.items()}


@dataclass(frozen=True)
class Finished:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


def written(file: IO[str]) -> str:
    """What somebody else has written to a file."""
    file.seek(0)
    return file.read()


def first_lines(stream: Iterator[str]) -> Iterator[str]:
    """Up to the line that tells where the service is, or the end."""
    for line in stream:
        yield line.rstrip("\n")
        if "http://" in line and not line.startswith("Look at"):
            return


@asynccontextmanager
async def client_of(shell: Shell) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the service on a shell's database, without a process around it."""
    auth = Auth(secret_key_file=str(shell.folder / "var" / "secret_key"))
    service = create_app(Config(database=Database(url=shell.url, profile="fast"), auth=auth))
    app = httpx2.ASGITransport(app=service)
    async with httpx2.AsyncClient(transport=app, base_url="http://test") as client:
        yield client
    await service.database.engine.dispose()
