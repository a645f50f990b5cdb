"""The Autobahn test suite's cases of RFC 6455 against a socket behind our server."""

import asyncio
import json
import sys

from chat_service.test.server.clients import NO_WAIT, running

CASES = 246
PASSED = {"OK", "NON-STRICT", "INFORMATIONAL"}
OTHERWISE = {
    # Sends 256 KiB at once; ours is the bound of 64 KiB. Autobahn leaves the end of it open.
    "7.1.6": ["INFORMATIONAL", "INFORMATIONAL", 1009],
}
"""Cases that end otherwise than Autobahn has it."""


async def test_every_case_of_autobahn_ends_as_it_should() -> None:
    async with running(**NO_WAIT) as service:
        url = f"ws://127.0.0.1:{service.port}/echo"
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-W", "error", "-m", "chat_service.test.server.autobahn", url],
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        service.process.terminate()
        assert (await service.ended(), service.stderr) == (0, b"")
    verdicts = json.loads(output)
    assert len(verdicts) == CASES
    failed = {case: end for case, end in verdicts.items() if not {*end[:2]} <= PASSED}
    assert failed.keys() <= OTHERWISE.keys()
    assert {case: verdicts[case] for case in OTHERWISE} == OTHERWISE
