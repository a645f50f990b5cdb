"""One whole process: the socket, start-up, signals and the drain."""

import asyncio
import json
import signal
import socket
import sys

import pytest

from chat_service.config import Server
from chat_service.server.runner import listen, serve
from chat_service.test.server.apps import MODULE, PATIENCE
from chat_service.test.server.clients import NO_WAIT, launched, running


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


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGHUP])
async def test_a_request_in_flight_is_answered_after_a_signal(sig: signal.Signals) -> None:
    async with running(**NO_WAIT) as service:
        answer = await service.begin()
        service.process.send_signal(sig)
        assert await answer == (200, "slow")
        assert await service.ended() == 0


async def test_is_not_ready_while_the_balancer_learns_of_it_then_refuses() -> None:
    async with running(balancer_seconds=1.0) as service:
        assert await service.get("ready") == (200, "ready")
        answer = await service.begin("slow?2")
        service.process.terminate()
        await service.unready()
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(PATIENCE):
                while True:
                    await service.get("ready")
        assert await answer == (200, "slow")
        assert await service.ended() == 0


async def test_a_request_that_does_not_end_is_cut_when_its_time_is_up() -> None:
    async with running(**NO_WAIT, drain_seconds=0.5) as service:
        answer = await service.begin("slow?60")
        service.process.terminate()
        assert await service.ended() == 0
        assert (await answer)[0] == 500
    assert b"Cancel 1 running task" in service.stderr


async def test_a_shut_down_of_the_application_that_does_not_end_is_cut() -> None:
    async with running("never_stops", **NO_WAIT, drain_seconds=0.1) as service:
        service.process.terminate()
        assert await service.ended() == 0
    assert b"shutdown_unfinished" in service.stderr


async def test_ctrl_c_ends_at_once_when_nobody_waits_for_anything() -> None:
    async with running(balancer_seconds=60.0) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(b"GET /pid HTTP/1.1\r\n\r\n")  # and keeps the connection alive
        await reader.readuntil(b"\r\n\r\n")
        service.process.send_signal(signal.SIGINT)
        assert await service.ended() == 130
        writer.close()


async def test_ctrl_c_waits_for_a_request_in_flight() -> None:
    async with running(**NO_WAIT) as service:
        answer = await service.begin()
        service.process.send_signal(signal.SIGINT)
        assert await answer == (200, "slow")
        assert await service.ended() == 130


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_at_once(sig: signal.Signals) -> None:
    async with running(balancer_seconds=60.0) as service:
        answer = await service.begin("slow?60")
        service.process.terminate()
        await service.unready()
        service.process.send_signal(sig)
        assert await service.ended() == -sig
        with pytest.raises(ConnectionError):
            await answer


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [("exits_4", 4, ""), ("exits_text", 1, ""), ("fails", 1, "start-up failed")],
)
async def test_a_failed_start_up_ends_with_its_exit_code(name: str, code: int, says: str) -> None:
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
    assert error.startswith(f"cannot listen on 127.0.0.1, port {port}: Address already in use")
    assert error.count("\n") == 1


def test_every_address_is_ipv6_and_ipv4() -> None:
    with listen("*", 0) as sock:
        for host in (("127.0.0.1", "::1") if socket.has_dualstack_ipv6() else ("127.0.0.1",)):
            socket.create_connection((host, sock.getsockname()[1]), timeout=PATIENCE).close()


async def test_tells_an_address_that_can_be_opened() -> None:
    for host, url in [("*", "http://localhost:"), ("::1", "http://[::1]:")]:
        async with launched("app", host=host) as service:
            assert (await service.line()).startswith(url)


@pytest.mark.skipif(sys.platform != "linux", reason="an option of Linux")
def test_a_peer_that_acknowledges_nothing_is_given_up() -> None:
    with listen("127.0.0.1", 0) as sock, socket.create_connection(sock.getsockname()):
        accepted, _ = sock.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
