"""A parent with its children: who is replaced, who ends, and that nobody is refused meanwhile."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from chat_service.test.server.apps import PATIENCE, until
from chat_service.test.server.clients import NO_WAIT, gone, launched, running


async def test_several_processes_serve_one_socket_and_drain_together() -> None:
    async with running(workers=2, **NO_WAIT) as service:
        pids = await service.pids(2)
        assert service.process.pid not in pids
        answer = await service.begin()
        service.process.terminate()
        assert await answer == (200, "slow")
        assert (await service.ended(), service.stderr) == (0, b"")
        assert gone(pids)


async def test_a_dead_child_is_replaced() -> None:
    async with running(workers=2, **NO_WAIT) as service:
        before = await service.pids(2)
        os.kill(min(before), signal.SIGKILL)
        await until(lambda: gone({min(before)}))
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
    async with launched("fails_until_file", {"WAITED_FOR": str(file)}, workers=2) as service:
        await service.complains("worker_ended")
        file.touch()
        await service.started()
        assert (await service.get("pid"))[0] == 200


async def test_sighup_replaces_the_children_and_refuses_nobody() -> None:
    async with running(workers=2, balancer_seconds=60.0) as service:
        before = await service.pids(2)
        answer = await service.begin()
        service.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(PATIENCE):
            while not gone(before):
                assert await service.get("ready") == (200, "ready")
                await asyncio.sleep(0.01)
        assert await answer == (200, "slow")
        assert not before & await service.pids(2)
        service.process.send_signal(signal.SIGINT)
        assert await service.ended() == 130


async def test_ctrl_c_ends_a_parent_at_once_when_nobody_waits_for_anything() -> None:
    async with running(workers=2, balancer_seconds=60.0) as service:
        pids = await service.pids(2)
        service.process.send_signal(signal.SIGINT)
        assert await service.ended() == 130
        assert gone(pids)


async def test_a_second_signal_ends_a_parent_and_its_children_at_once() -> None:
    async with running(workers=2, balancer_seconds=60.0) as service:
        pids = await service.pids(2)
        service.process.terminate()
        await service.unready()
        service.process.terminate()
        assert await service.ended() == 128 + signal.SIGTERM
        assert gone(pids)


async def test_children_do_not_outlive_their_parent() -> None:
    async with running(workers=2, balancer_seconds=60.0) as service:
        pids = await service.pids(2)
        service.process.kill()
        await service.process.wait()
        await until(lambda: gone(pids))


async def test_a_signal_that_comes_to_every_process_cuts_no_request() -> None:
    async with running(workers=2, **NO_WAIT) as service:
        pids = await service.pids(2)
        answer = await service.begin()
        for pid in [*pids, service.process.pid]:
            os.kill(pid, signal.SIGTERM)
        assert await answer == (200, "slow")
        assert await service.ended() == 0


async def _run(script: str) -> asyncio.subprocess.Process:
    """A parent of a command of the test's own."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )


async def test_a_command_that_cannot_be_run_is_tried_again() -> None:
    process = await _run("""
from chat_service.config import Server
from chat_service.server.runner import serve
raise SystemExit(serve("", Server(port=0, workers=2), child=["/does/not/exist"]))
""")
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        for _ in range(3):
            assert b"worker_not_started" in await process.stdout.readline()
        process.terminate()
        assert await process.wait() == 0


async def test_a_parent_that_is_stopped_as_it_starts_a_child_leaves_none() -> None:
    process = await _run("""
import asyncio, signal, socket
from chat_service.server.workers import Workers
async def main():
    command = ["/bin/sh", "-c", "echo $$; exec sleep 60"]
    with socket.create_server(("127.0.0.1", 0)) as sock:
        parent = asyncio.create_task(Workers(command, sock, 2, ready=print).run())
        await asyncio.sleep(0)
        # Handled when the children have been started and are not yet known to the parent.
        signal.raise_signal(signal.SIGTERM)
        return await parent
raise SystemExit(asyncio.run(main()))
""")
    async with asyncio.timeout(PATIENCE):
        pids, _ = await process.communicate()
    assert process.returncode == 0
    assert gone({int(pid) for pid in pids.split()})


async def test_what_was_true_of_a_dead_child_is_gone_before_the_next_one_starts() -> None:
    process = await _run("""
import asyncio, socket
from chat_service.server.figures import shared_folder
from chat_service.server.workers import Workers
child = '''
    gauge=$PROMETHEUS_MULTIPROC_DIR/gauge_livesum_$CHAT_WORKER.db
    test -e $gauge && echo left || echo $CHAT_WORKER
    touch $gauge; exit 1
'''
async def main():
    with socket.create_server(("127.0.0.1", 0)) as sock, shared_folder() as folder:
        command = ["/bin/sh", "-c", child]
        return await Workers(command, sock, 1, ready=print, figures=folder).run()
raise SystemExit(asyncio.run(main()))
""")
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        children = 0
        while children < 3:
            line = await process.stdout.readline()
            if b"worker_ended" not in line:
                assert line == b"0\n"
                children += 1
        process.terminate()
        assert await process.wait() == 0
