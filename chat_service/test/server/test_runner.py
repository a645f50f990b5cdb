"""Whole processes: start-up, signals, the drain, and a parent with its children."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chat_service.config import Server
from chat_service.server.runner import listen, serve
from chat_service.test.server.apps import MODULE, PATIENCE, until

NO_WAIT: dict[str, Any] = {"balancer_seconds": 0.0}


class Service:
    """A process that was started to serve, and a plain client for it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.port = 0
        self.stderr = b""

    async def started(self) -> None:
        """Wait for the line that tells the URL."""
        async with asyncio.timeout(PATIENCE):
            line = await self._stdout.readline()
        self.port = int(line.decode().rpartition(":")[2])

    async def get(
        self, path: str, head: str = "connection: close\r\n"
    ) -> tuple[int, str]:
        """Status and text of an answer; raises ConnectionError when nobody accepts."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(f"GET /{path} HTTP/1.1\r\nhost: x\r\n{head}\r\n".encode())
            async with asyncio.timeout(PATIENCE):
                headers, _, text = (await reader.read()).decode().partition("\r\n\r\n")
        finally:
            writer.close()
        if not headers:
            raise ConnectionResetError("no answer")
        assert "server:" not in headers
        return int(headers.split()[1]), text

    async def ended(self) -> int:
        """Wait for the end of the process; returns its exit code."""
        async with asyncio.timeout(PATIENCE):
            _, self.stderr = await self.process.communicate()
            return await self.process.wait()

    async def line(self) -> str:
        """The next line of standard output."""
        async with asyncio.timeout(PATIENCE):
            return (await self._stdout.readline()).decode().strip()

    async def pids(self, count: int) -> set[int]:
        """The ids of the children, as soon as `count` different ones have answered."""
        found: set[int] = set()
        async with asyncio.timeout(PATIENCE):
            while len(found) < count:
                asked = [self.get("pid") for _ in range(8)]
                found |= {int(text) for _, text in await asyncio.gather(*asked)}
        return found

    @property
    def _stdout(self) -> asyncio.StreamReader:
        assert self.process.stdout is not None
        return self.process.stdout


@contextlib.asynccontextmanager
async def launched(
    name: str, environment: dict[str, str] | None = None, **settings: Any
) -> AsyncIterator[Service]:
    """Start `apps NAME` on a free port; whatever a test leaves is killed."""
    arguments = [name, json.dumps({"port": 0, **settings})]
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-W", "error", "-m", MODULE, *arguments],
        env=os.environ | (environment or {}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    service = Service(process)
    try:
        yield service
    finally:
        if process.returncode is None:
            process.kill()
            await service.ended()


@contextlib.asynccontextmanager
async def running(name: str = "app", **settings: Any) -> AsyncIterator[Service]:
    """A service that serves."""
    async with launched(name, **settings) as service:
        await service.started()
        yield service


def _gone(pids: set[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


async def test_serves_until_it_is_told_to_stop_and_says_nothing() -> None:
    async with running(**NO_WAIT) as service:
        head = "x-forwarded-for: 6.6.6.6\r\nconnection: close\r\n"
        assert await service.get("client?token=secret", head) == (200, "127.0.0.1")
        service.process.terminate()
        assert await service.line() == "lane finished"
        assert (await service.ended(), service.stderr) == (0, b"")


async def test_an_application_without_a_drain_is_served_as_well() -> None:
    async with running("undrained", **NO_WAIT) as service:
        assert (await service.get("pid"))[0] == 200
        service.process.terminate()
        assert await service.ended() == 0


async def test_what_start_up_made_is_left_out_of_collections() -> None:
    async with running() as service:
        thresholds, frozen = json.loads((await service.get("garbage"))[1])
    assert thresholds == [20_000, 50, 1_000]
    assert frozen > 1_000


async def test_a_request_in_flight_is_answered_after_sigterm() -> None:
    async with running(**NO_WAIT) as service:
        answer = asyncio.create_task(service.get("slow"))
        await asyncio.sleep(0.2)
        service.process.terminate()
        assert await answer == (200, "slow")
        assert await service.ended() == 0


async def test_is_not_ready_while_the_balancer_learns_of_it_then_refuses() -> None:
    async with running(balancer_seconds=1.0) as service:
        assert await service.get("ready") == (200, "ready")
        answer = asyncio.create_task(service.get("slow?2"))
        await asyncio.sleep(0.2)
        service.process.terminate()
        async with asyncio.timeout(PATIENCE):
            while await service.get("ready") != (503, "draining"):
                await asyncio.sleep(0.01)
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(PATIENCE):
                while True:
                    await service.get("ready")
        assert await answer == (200, "slow")
        assert await service.ended() == 0


async def test_a_request_that_does_not_end_is_cut_when_its_time_is_up() -> None:
    async with running(**NO_WAIT, drain_seconds=0.5) as service:
        answer = asyncio.create_task(service.get("slow?60"))
        await asyncio.sleep(0.2)
        service.process.terminate()
        assert await service.ended() == 0
        assert (await answer)[0] == 500
    assert b"Cancel 1 running task" in service.stderr


async def test_ctrl_c_ends_at_once_when_nobody_waits_for_anything() -> None:
    async with running(balancer_seconds=60.0) as service:
        _, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(b"GET /pid HTTP/1.1\r\n\r\n")  # and keeps the connection alive
        await asyncio.sleep(0.3)
        service.process.send_signal(signal.SIGINT)
        assert await service.ended() == 130
        writer.close()


async def test_ctrl_c_waits_for_a_request_in_flight() -> None:
    async with running(**NO_WAIT) as service:
        answer = asyncio.create_task(service.get("slow"))
        await asyncio.sleep(0.2)
        service.process.send_signal(signal.SIGINT)
        assert await answer == (200, "slow")
        assert await service.ended() == 130


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_at_once(sig: signal.Signals) -> None:
    async with running(balancer_seconds=60.0) as service:
        answer = asyncio.create_task(service.get("slow?60"))
        await asyncio.sleep(0.2)
        service.process.terminate()
        await asyncio.sleep(0.2)
        service.process.send_signal(sig)
        assert await service.ended() == -sig
        with pytest.raises(ConnectionError):
            await answer


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [("exits_4", 4, ""), ("exits_text", 1, ""), ("fails", 1, "start-up failed")],
)
async def test_a_failed_start_up_ends_with_its_exit_code(
    name: str, code: int, says: str
) -> None:
    async with launched(name) as service:
        assert await service.ended() == code
    assert says in service.stderr.decode()
    assert ("Traceback" in service.stderr.decode()) == bool(says)


def test_a_port_in_use_is_one_line_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert serve(f"{MODULE}:app", Server(port=port)) == 1
    error = capsys.readouterr().err
    assert error.startswith(
        f"cannot listen on 127.0.0.1, port {port}: Address already in use"
    )
    assert error.count("\n") == 1


def test_every_address_is_ipv6_and_ipv4() -> None:
    with listen("*", 0) as sock:
        for host in (
            ("127.0.0.1", "::1") if socket.has_dualstack_ipv6() else ("127.0.0.1",)
        ):
            socket.create_connection(
                (host, sock.getsockname()[1]), timeout=PATIENCE
            ).close()


async def test_tells_an_address_that_can_be_opened() -> None:
    for host, url in [("*", "http://localhost:"), ("::1", "http://[::1]:")]:
        async with launched("app", host=host) as service:
            assert (await service.line()).startswith(url)


@pytest.mark.skipif(sys.platform != "linux", reason="an option of Linux")
def test_a_peer_that_acknowledges_nothing_is_given_up() -> None:
    with listen("127.0.0.1", 0) as sock, socket.create_connection(sock.getsockname()):
        accepted, _ = sock.accept()
        with accepted:
            assert (
                accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                == 30_000
            )
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


async def test_several_processes_serve_one_socket_and_drain_together() -> None:
    async with running(workers=2, **NO_WAIT) as service:
        pids = await service.pids(2)
        assert service.process.pid not in pids
        answer = asyncio.create_task(service.get("slow"))
        await asyncio.sleep(0.2)
        service.process.terminate()
        assert await answer == (200, "slow")
        assert (await service.ended(), service.stderr) == (0, b"")
        assert _gone(pids)


async def test_a_dead_child_is_replaced() -> None:
    async with running(workers=2, **NO_WAIT) as service:
        before = await service.pids(2)
        os.kill(min(before), signal.SIGKILL)
        await until(lambda: _gone({min(before)}))
        after = await service.pids(2)
        assert len(after - before) == 1
        service.process.terminate()
        assert await service.ended() == 0
    assert b"worker_ended" in service.stderr


async def test_a_child_that_cannot_be_started_stops_the_whole() -> None:
    async with launched("exits_4", workers=2) as service:
        assert await service.ended() == 4


async def test_a_child_whose_start_up_fails_otherwise_is_tried_again(
    tmp_path: Path,
) -> None:
    file = tmp_path / "there"
    async with launched(
        "fails_until_file", {"WAITED_FOR": str(file)}, workers=2
    ) as service:
        await asyncio.sleep(1.0)
        file.touch()
        await service.started()
        assert (await service.get("pid"))[0] == 200


async def test_sighup_replaces_the_children_and_refuses_nobody() -> None:
    async with running(workers=2, balancer_seconds=60.0) as service:
        before = await service.pids(2)
        answer = asyncio.create_task(service.get("slow"))
        await asyncio.sleep(0.2)
        service.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(PATIENCE):
            while not _gone(before):
                assert await service.get("ready") == (200, "ready")
        assert await answer == (200, "slow")
        assert not before & await service.pids(2)


async def test_ctrl_c_ends_a_parent_at_once_when_nobody_waits_for_anything() -> None:
    async with running(workers=2, balancer_seconds=60.0) as service:
        pids = await service.pids(2)
        service.process.send_signal(signal.SIGINT)
        assert await service.ended() == 130
        assert _gone(pids)


async def test_a_second_signal_ends_a_parent_and_its_children_at_once() -> None:
    async with running(workers=2, balancer_seconds=60.0) as service:
        pids = await service.pids(2)
        service.process.terminate()
        await asyncio.sleep(0.3)
        service.process.terminate()
        assert await service.ended() == 128 + signal.SIGTERM
        assert _gone(pids)


async def test_children_do_not_outlive_their_parent() -> None:
    async with running(workers=2, balancer_seconds=60.0) as service:
        pids = await service.pids(2)
        service.process.kill()
        await service.process.wait()
        await until(lambda: _gone(pids))
