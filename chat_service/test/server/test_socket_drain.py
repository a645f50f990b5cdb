"""What becomes of open sockets when the process leaves, and what it logs of any of them."""

import asyncio
import signal
from typing import Any

import pytest

from chat_service.test.server.apps import PATIENCE, until
from chat_service.test.server.clients import NO_WAIT, gone, running
from chat_service.test.server.peers import (
    BINARY,
    CLOSE,
    FIELDS,
    TEXT,
    Peer,
    connected,
    frame,
    opened,
)

NO_WINDOW: dict[str, Any] = NO_WAIT | {"drain_window_seconds": 0}


async def _echoes(peer: Peer) -> bool:
    """Whether a socket still works."""
    await peer.send(frame(TEXT, b"hi"))
    return await peer.receive() == (TEXT, b"hi")


async def test_sockets_are_closed_with_1012_and_a_request_in_flight_is_answered() -> None:
    async with running(**NO_WAIT, drain_window_seconds=0.5) as service:
        async with opened(service.port, "echo") as one, opened(service.port, "echo") as two:
            answer = await service.begin("slow?1")
            service.process.terminate()
            assert [await one.code(), await two.code()] == [1012, 1012]
            assert await answer == (200, "slow")
        assert (await service.ended(), service.stderr) == (0, b"")


async def test_sockets_are_closed_over_the_window_and_a_second_signal_ends_it() -> None:
    async with running(**NO_WAIT, drain_window_seconds=60, drain_seconds=120) as service:
        async with opened(service.port, "echo") as one, opened(service.port, "echo") as two:
            service.process.terminate()
            peers = {asyncio.create_task(peer.receive()): peer for peer in (one, two)}
            (first,), (second,) = await asyncio.wait(peers, return_when=asyncio.FIRST_COMPLETED)
            assert first.result() == (CLOSE, (1012).to_bytes(2))
            await peers[second].send(frame(TEXT, b"hi"))
            assert await second == (TEXT, b"hi")
            service.process.terminate()
            assert await service.ended() == -signal.SIGTERM
            assert await peers[second].rest() == b""


async def test_the_application_says_goodbye_and_is_told_how_long_it_may_take() -> None:
    async with running("says_goodbye", **NO_WAIT, drain_window_seconds=0.5) as service:
        async with opened(service.port, "goodbyes") as told, opened(service.port, "echo") as other:
            service.process.terminate()
            assert await told.receive() == (TEXT, b"goodbye within 0.5")
            assert await told.code() == 4999
            assert await service.line() == "goodbyes said"
            assert await other.code() == 1012
        assert (await service.ended(), service.stderr) == (0, b"")


async def test_new_sockets_are_refused_once_the_balancer_knows() -> None:
    async with running(balancer_seconds=1.0, drain_window_seconds=60) as service:
        async with opened(service.port, "echo") as old, opened(service.port, "echo"):
            service.process.terminate()
            await service.unready()
            async with opened(service.port, "echo") as late:
                assert await _echoes(late)
                assert await _echoes(old)
            with pytest.raises(ConnectionError):
                async with asyncio.timeout(PATIENCE):
                    while True:
                        async with connected(service.port) as peer:
                            await peer.rest()
            service.process.terminate()
            assert await service.ended() == -signal.SIGTERM


async def test_a_peer_that_does_not_read_does_not_keep_the_process() -> None:
    async with running(**NO_WINDOW) as service, opened(service.port, "much"):
        assert await service.line() == "much sent"
        service.process.terminate()
        assert await service.line() == "lane finished"
        assert (await service.ended(), service.stderr) == (0, b"")


async def test_an_application_that_does_not_listen_is_cut_when_its_time_is_up() -> None:
    async with running(**NO_WINDOW, drain_seconds=0.5) as service:
        async with opened(service.port, "deaf") as peer:
            service.process.terminate()
            assert await peer.code() == 1012
            assert await service.ended() == 0
    assert b"Cancel 1 running task" in service.stderr


async def test_ctrl_c_closes_sockets_before_it_ends() -> None:
    async with running(**NO_WINDOW) as service, opened(service.port, "echo") as peer:
        service.process.send_signal(signal.SIGINT)
        assert await peer.code() == 1012
        assert await service.ended() == 130


async def test_ctrl_c_ends_at_once_when_the_last_socket_is_gone() -> None:
    async with running(balancer_seconds=60.0) as service:
        async with opened(service.port, "echo") as peer:
            await peer.send(frame(CLOSE))
            await peer.rest()
        service.process.send_signal(signal.SIGINT)
        assert await service.ended() == 130


async def test_sighup_closes_the_sockets_of_the_children_it_replaces() -> None:
    async with running(workers=2, balancer_seconds=60.0, drain_window_seconds=0) as service:
        before = await service.pids(2)
        async with opened(service.port, "echo") as one, opened(service.port, "echo") as two:
            service.process.send_signal(signal.SIGHUP)
            assert [await one.code(), await two.code()] == [1012, 1012]
        await until(lambda: gone(before))
        await service.pids(2)
        service.process.send_signal(signal.SIGINT)
        assert await service.ended() == 130


SECRET = b"secret-token"


async def test_no_log_line_tells_what_was_asked_for_or_sent() -> None:
    async with running(**NO_WINDOW) as service:
        path = f"echo?token={SECRET.decode()}"
        cookie = b"cookie: %s\r\nsec-websocket-protocol: %s\r\n" % (SECRET, SECRET)
        for sent in (
            frame(TEXT, SECRET),
            frame(TEXT, SECRET + b"\xff"),
            frame(BINARY, SECRET, rsv=4),
            frame(BINARY, SECRET * 10_000),
            frame(CLOSE, b"\x00\x00" + SECRET),
            frame(CLOSE, (4000).to_bytes(2) + SECRET),
        ):
            async with opened(service.port, path, cookie) as peer:
                await peer.send(sent)
                await peer.receive()
        for fields in (b"x: %s\r\n" % (SECRET * 1_000), b"content-length: 2\r\n", FIELDS):
            async with connected(service.port) as peer:
                assert await peer.upgrade(path, cookie + fields) >= 400
        service.process.terminate()
        assert (await service.ended(), service.stderr) == (0, b"")


async def test_the_log_of_a_broken_application_tells_nothing_of_its_peer() -> None:
    async with running(**NO_WINDOW) as service:
        async with opened(service.port, f"broken?token={SECRET.decode()}") as peer:
            await peer.send(frame(TEXT, SECRET))
            assert await peer.code() == 1011
        service.process.terminate()
        assert await service.ended() == 0
    assert b"the application is broken" in service.stderr
    assert SECRET not in service.stderr
