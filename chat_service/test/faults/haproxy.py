"""HAProxy before the nodes, with the settings that `deploy/haproxy.cfg` recommends."""

import asyncio
import csv
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx2

from chat_service.test import guard
from chat_service.test.faults.balancer import PATIENCE
from chat_service.test.faults.victim import free_port

SETTINGS: Final = Path(__file__).parents[3] / "deploy" / "haproxy.cfg"
SERVERS: Final = re.compile(r"^    server .*\n", re.MULTILINE)
FIGURES: Final = """
frontend figures
    bind 127.0.0.1:{port}
    stats enable
    stats uri /figures
"""


class Haproxy:
    """A running HAProxy, if there is one on this machine; see `Balancing`."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self._nodes = nodes
        self._port = free_port()
        self._figures = free_port()

    @property
    def address(self) -> str:
        """Where it listens, as the beginning of a URL."""
        return f"http://127.0.0.1:{self._port}"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Run it until the end of the block."""
        with TemporaryDirectory(prefix="chat-haproxy-") as folder:
            settings = Path(folder, "haproxy.cfg")
            settings.write_text(self._settings())
            with _running([program(), "-db", "-f", str(settings)]):
                yield

    async def has_all(self) -> None:
        """Wait until it sends requests to every node."""
        async with asyncio.timeout(PATIENCE), httpx2.AsyncClient() as client:
            while await self._up(client) < len(self._nodes):
                await asyncio.sleep(0.05)

    def _settings(self) -> str:
        """Those for production, at our own addresses."""
        servers = "".join(
            f"    server node-{number} {node.removeprefix('http://')}\n"
            for number, node in enumerate(self._nodes, 1)
        )
        text = SERVERS.sub("", SETTINGS.read_text()) + servers
        return text.replace("bind :8080", f"bind 127.0.0.1:{self._port}") + FIGURES.format(
            port=self._figures
        )

    async def _up(self, client: httpx2.AsyncClient) -> int:
        with suppress(httpx2.TransportError):
            figures = await client.get(f"http://127.0.0.1:{self._figures}/figures;csv")
            rows = csv.DictReader(figures.text.splitlines())
            return sum(row["svname"].startswith("node") and row["status"] == "UP" for row in rows)
        return 0


@contextmanager
def _running(command: Sequence[str]) -> Iterator[None]:
    guarded = subprocess.Popen(
        [sys.executable, "-I", "-S", guard.__file__, "", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        guarded.communicate()


def program() -> str:
    """The installed one; raises NoHaproxy."""
    found = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if found is None:
        raise NoHaproxy("no haproxy on the PATH, nor in /usr/sbin")
    return found


class NoHaproxy(Exception):
    """It cannot be run here; tells where it was looked for."""
