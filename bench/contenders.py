"""Who is measured: each takes turns, and each turn is checked against what was stored."""

import asyncio
import itertools
import json
import random
import re
import resource
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final, Protocol

import uvloop

from bench.fill import Filled
from bench.load import CONNECTIONS, WARM_UP_SECONDS, LoadError, load
from bench.machine import cpu_seconds, pinned
from bench.servers import POSTGRES_PROGRAMS, ROOT, Postgres

HERE: Final = Path(__file__).parent
TEXT: Final = "Hello, where is my order?"
LOGGED: Final = 0.2
"""The part of its transactions of which pgbench writes the latency down."""
Head = tuple[bytes, bytes]
"""The two parts of a request, between which stands a number of NUMBER digits."""
NUMBER: Final = 10


@dataclass(frozen=True)
class Figures:
    """What one turn came to: operations in seconds, their latency, CPU time an operation."""

    operations: int
    seconds: float
    p50_ms: float
    p99_ms: float
    server_us: float
    """Of what is measured: the service, a peer, pgbench, the process with SQLite in it."""
    database_us: float = 0.0
    driver_us: float = 0.0

    @property
    def per_second(self) -> float:
        """Operations a second."""
        return self.operations / self.seconds


class Contender(Protocol):
    """Somebody who takes turns."""

    def turn(self, seconds: int) -> Figures:
        """Work for that long; raises LoadError where figures and stored rows do not agree."""


@dataclass
class Http:
    """A server, loaded by HTTP; `backend` is the process id of its database, if it has one."""

    port: int
    pid: int
    requests: Iterator[bytes]
    stored: Callable[[], int]
    prepare: Callable[[], object]
    backend: int | None = None

    def turn(self, seconds: int) -> Figures:
        """A warm-up, then the window."""
        self.prepare()
        before = self.stored()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            turn = runner.run(load(self.port, self.requests, seconds=seconds, probe=self._used))
        compare(turn.tally.acknowledged, self.stored() - before)
        return figures(turn.tally.latencies, seconds=seconds, used=turn.used)

    def _used(self) -> Mapping[str, float]:
        database = {} if self.backend is None else {"database_us": cpu_seconds(self.backend)}
        return {"server_us": cpu_seconds(self.pid), "driver_us": time.process_time(), **database}


@dataclass
class Pgbench:
    """PostgreSQL without a service; `filled` is the workspace it writes into."""

    postgres: Postgres
    database: str
    filled: Filled
    core: int
    folder: Path
    bases: Iterator[int] = field(default_factory=lambda: itertools.count(0, 10**9))

    def turn(self, seconds: int) -> Figures:
        """A warm-up, then the window."""
        self.postgres.settle(self.database)
        before = self._stored()
        warm = self._run(round(WARM_UP_SECONDS), log=None)
        began = self._used()
        prefix = self.folder / secrets.token_hex(4)
        output = self._run(seconds, log=prefix)
        used = {name: value - began[name] for name, value in self._used().items()}
        compare(_processed(warm) + _processed(output), self._stored() - before)
        taken = [
            int(line.split()[2]) / 1e6
            for file in self.folder.glob(f"{prefix.name}*")
            for line in file.read_text().splitlines()
        ]
        rate = re.search(r"^tps = ([\d.]+)", output, re.MULTILINE)
        assert rate is not None, output
        done = _processed(output)
        return figures(taken, seconds=done / float(rate[1]), used=used, operations=done)

    def _run(self, seconds: int, log: Path | None) -> str:
        content = json.dumps({"type": "text", "text": TEXT, "format": "plain"})
        variables = {
            "base": next(self.bases),
            "n": 0,
            "workspace": self.filled.workspace,
            "customer": self.filled.customer,
            "content": content,
        }
        command = [str(POSTGRES_PROGRAMS / "pgbench"), "-n", "-M", "prepared", "-j", "1"]
        command += ["-c", str(CONNECTIONS), "-T", str(seconds)]
        command += ["-f", str(HERE / "peers" / "pgbench.sql")]
        command += [part for pair in variables.items() for part in ("-D", "{}={}".format(*pair))]
        if log is not None:
            command += ["-l", f"--log-prefix={log}", f"--sampling-rate={LOGGED}"]
        return run(command + [self.postgres.url(self.database)], core=self.core)

    def _stored(self) -> int:
        return int(self.postgres.query("SELECT count(*) FROM chat_messages", self.database))

    def _used(self) -> dict[str, float]:
        return {"server_us": _children_seconds(), "database_us": cpu_seconds(self.postgres.pid)}


@dataclass
class RawSqlite:
    """SQLite without a service, from one Python process."""

    file: Path
    filled: Filled
    core: int
    stored: Callable[[], int]

    def turn(self, seconds: int) -> Figures:
        """The window alone: there is nothing to warm up."""
        before = self.stored()
        command = [sys.executable, "-m", "bench.peers.raw_sqlite", str(self.file)]
        command += [self.filled.workspace.hex, self.filled.customer.hex, str(seconds)]
        told = json.loads(run(command, core=self.core))
        compare(told["operations"], self.stored() - before)
        used = {"server_us": told["cpu"]}
        return figures(told["latencies"], seconds=told["seconds"], used=used)


def figures(
    latencies: Sequence[float],
    *,
    seconds: float,
    used: Mapping[str, float],
    operations: int | None = None,
) -> Figures:
    """The figures of a turn: latencies and CPU time in seconds; `operations` if not all have one."""
    done = len(latencies) if operations is None else operations
    if not latencies:
        raise LoadError("nothing was answered inside the window")
    return Figures(
        operations=done,
        seconds=seconds,
        p50_ms=percentile(latencies, 0.50) * 1e3,
        p99_ms=percentile(latencies, 0.99) * 1e3,
        **{name: value / done * 1e6 for name, value in used.items()},
    )


def middle(turns: Sequence[Figures]) -> Figures:
    """The median of each figure over some turns."""
    names = vars(turns[0])
    return Figures(**{name: median(getattr(turn, name) for turn in turns) for name in names})


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which that part of the values lies, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


def compare(acknowledged: int, stored: int) -> None:
    """Raise LoadError unless as many messages are stored as were acknowledged."""
    if acknowledged != stored:
        raise LoadError(f"{acknowledged} messages were acknowledged, {stored} are stored")


def head(path: str, content: Any, token: str | None = None) -> Head:
    """A POST of a message, but for the number that makes its `client_message_id` unique."""
    end = json.dumps(content)[1:].encode()
    start = b'{"client_message_id":"%s-' % secrets.token_hex(6).encode()
    end = b'",' + end
    length = len(start) + NUMBER + len(end)
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"Content-Length: {length}", "", ""]
    return "\r\n".join(lines).encode() + start, end


def requests_of(heads: Sequence[Head]) -> Iterator[bytes]:
    """Messages to random sessions without end, in the same order in each run."""
    order = random.Random(1).choices(heads, k=100_000)
    for number, (start, end) in enumerate(itertools.cycle(order)):
        yield b"%s%010d%s" % (start, number, end)


def run(command: list[str], *, core: int) -> str:
    """What a program prints that runs to its end on one core."""
    with pinned(core):
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def _processed(output: str) -> int:
    found = re.search(r"^number of transactions actually processed: (\d+)", output, re.MULTILINE)
    assert found is not None, output
    return int(found[1])


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
