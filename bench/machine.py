"""The machine: its cores, the CPU time of processes, and what a reader of figures has to know."""

import importlib.metadata
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TICKS: Final = os.sysconf("SC_CLK_TCK")
VOLATILE: Final = ("tmpfs", "ramfs")
PACKAGES: Final = (
    "quart",
    "quart-schema",
    "uvicorn",
    "uvloop",
    "hypercorn",
    "fastapi",
    "pydantic",
    "sqlalchemy",
    "asyncpg",
    "aiosqlite",
)


@dataclass(frozen=True)
class Cores:
    """Who runs where: `back` has the database and the load driver, `front` what is measured."""

    back: int
    front: int


def choose_cores() -> Cores:
    """The first and the last core this process may use."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) == 1:
        print("bench: one core for everything; the ratios mean little", file=sys.stderr)
    return Cores(usable[0], usable[-1])


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Run on one core; processes started inside stay there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and its descendants, those that have ended among them."""
    folder = Path("/proc") / str(pid)
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        children = [int(child) for task in folder.glob("task/*/children") for child in _words(task)]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # it ended meanwhile, and its parent has inherited its time
    own = sum(int(ticks) for ticks in fields[11:15])  # utime, stime, cutime, cstime; see proc(5)
    return own / TICKS + sum(cpu_seconds(child) for child in children)


def processor_times(servers: Sequence[int], database: int) -> dict[str, float]:
    """CPU seconds so far: of what is measured, of the database, of this process."""
    return {
        "server_us": sum(cpu_seconds(pid) for pid in servers),
        "database_us": cpu_seconds(database),
        "driver_us": time.process_time(),
    }


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def durable_parent() -> Path:
    """Where databases are made: the folder for temporary files, if that is on a disk."""
    for parent in (Path(tempfile.gettempdir()), Path("/var/tmp")):
        if file_system(parent) not in VOLATILE:
            return parent
    sys.exit("bench: temporary files are kept in memory; set TMPDIR to a folder on a disk")


def file_system(folder: Path) -> str:
    """The type of the file system a folder is on, as the kernel calls it."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    resolved = folder.resolve()
    above = [(point, kind) for point, kind in mounts if resolved.is_relative_to(point)]
    return max(above, key=lambda mount: len(mount[0]))[1]


def flush_ms(folder: Path, *, times: int = 200) -> float:
    """How long the disk takes to make 8 KiB durable, in milliseconds: the median of `times`."""
    taken = []
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(8192 * times))
        os.fsync(file.fileno())
        for number in range(times):
            began = time.perf_counter()
            os.pwrite(file.fileno(), bytes([number % 256]) * 8192, 8192 * number)
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1e3


def describe(folder: Path, postgres: str) -> dict[str, str]:
    """What figures depend on; `folder` is where the databases are, `postgres` its version."""
    return {
        "CPU": _cpu_model(),
        "cores": f"{os.cpu_count()}, of which this run uses {len(os.sched_getaffinity(0))}",
        "kernel": f"{platform.system()} {platform.release()}",
        "disk": f"{file_system(folder)}, 8 KiB are durable after {flush_ms(folder):.2f} ms",
        "Python": platform.python_version(),
        "PostgreSQL": postgres,
        "SQLite": sqlite3.sqlite_version,
        "code": _commit(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent)
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip() or "unknown"
