"""Processes of the tests: forked ones are as real ones are, and none outlives its owner."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path

import pytest

from chat_service.test.server.apps import PATIENCE, until
from chat_service.test.server.clients import gone
from chat_service.test.starts import Process, start

pytestmark = pytest.mark.timeout(120)
TELLS = """
import os, random, signal, sys, threading, warnings
print(__name__, sys.argv, os.getcwd(), sys.path[0], dict(os.environ), input())
print([signal.getsignal(number) for number in signal.valid_signals()], warnings.filters)
print(sorted(os.listdir("/dev/fd")), threading.active_count(), sys.stdout.line_buffering)
print(random.random(), file=sys.stderr)
sys.exit(7)
"""
SLEEPS = "import time; time.sleep(600)"
OWNER = """
from pathlib import Path
from chat_service.test.starts import start
folder = Path.cwd()
with open("/dev/null", "r+") as nothing:
    held = [start("sleeps", streams=[nothing] * 3, folder=folder, real=each) for each in (False, True)]
parents = [Path(f"/proc/{each.pid}/stat").read_text().rpartition(")")[2].split()[1] for each in held]
print(*[each.pid for each in held], parents[0], flush=True)
input()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two modules."""
    (tmp_path / "tells.py").write_text(TELLS)
    (tmp_path / "sleeps.py").write_text(SLEEPS)
    return tmp_path


def told(folder: Path, *, real: bool) -> tuple[int, str, str]:
    """How the module that tells of itself ended, and what it said."""
    (folder / "in").write_text("given\n")
    with open(folder / "in") as given, open(folder / "out", "w+") as out:
        with open(folder / "err", "w+") as err:
            variables: Mapping[str, str] = {"ONE": "1", "LANG": "C.UTF-8"}
            streams = (given, out, err)
            process = start(
                "tells", "word", streams=streams, folder=folder, variables=variables, real=real
            )
            code = process.wait(PATIENCE)
    return code, (folder / "out").read_text(), (folder / "err").read_text()


def sleeping(folder: Path, *, real: bool = False) -> Process:
    """A process that does nothing."""
    with open(os.devnull, "r+") as nothing:
        return start("sleeps", streams=(nothing, nothing, nothing), folder=folder, real=real)


def test_a_forked_process_finds_what_a_real_one_finds(folder: Path) -> None:
    real, forked = told(folder, real=True), told(folder, real=False)
    assert forked[:2] == real[:2]
    assert forked[0] == 7 and "'ONE': '1'" in forked[1] and "given" in forked[1]


def test_each_has_chance_of_its_own(folder: Path) -> None:
    assert len({told(folder, real=False)[2] for _ in range(3)}) == 3


@pytest.mark.parametrize("real", [False, True])
def test_signals_are_its_end(folder: Path, real: bool) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = sleeping(folder, real=real)
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(PATIENCE) == process.poll() == -number


def test_one_that_was_stopped_can_be_killed(folder: Path) -> None:
    process = sleeping(folder)
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        process.wait(0.01)
    process.kill()
    assert process.returncode == -signal.SIGKILL


async def test_ends_when_nobody_holds_it_any_more(folder: Path) -> None:
    pid = sleeping(folder).pid
    await until(lambda: gone({pid}))


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_none_outlives_its_owner(folder: Path, number: signal.Signals) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, cwd=folder, stdin=PIPE, stdout=PIPE
    )
    assert owner.stdout is not None
    async with asyncio.timeout(PATIENCE):
        pids = {int(pid) for pid in (await owner.stdout.readline()).split()}
    assert len(pids) == 3
    owner.send_signal(number)
    assert await owner.wait() == -number
    await until(lambda: gone(pids))
