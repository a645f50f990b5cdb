"""The clients that the guide shows, run as they stand there."""

import asyncio
import re
import shutil
import sys
from pathlib import Path

import pytest

from chat_service.test.builders import Workspace
from chat_service.test.realtime.talkers import PATIENCE, Address
from chat_service.test.require import skip_or_fail

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "realtime.md").read_text()
FOLLOW = ROOT / "chat_service" / "static" / "demo" / "follow.js"
RUN = """
import { follow } from "./follow.mjs";
const [url, token, session, cursor] = process.argv.slice(2);
follow(url, token, session, cursor, (event) => console.log(event.type, event.seq));
"""


def block(language: str) -> str:
    """The program that the guide shows in a language."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    return str(text)


def test_the_demo_follows_by_the_program_of_the_guide() -> None:
    assert FOLLOW.read_text() == block("js")


@pytest.mark.parametrize("language", ["python", "js"])
async def test_a_client_of_the_guide_follows_through_a_restart_of_its_socket(
    language: str, address: Address, workspace: Workspace, tmp_path: Path
) -> None:
    service, customer = workspace.service, await workspace.customer()
    session_id = (await customer.start("1"))["session"]["id"]
    command = programs(language, tmp_path)
    client = await asyncio.create_subprocess_exec(
        *command,
        f"http://{address.place}",
        customer.token,
        session_id,
        "c1.p.0",
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        await said(client, 1)
        await service.hub.drain(0)
        service.hub.leaving = False
        await customer.send(session_id, "2")
        await said(client, 1)
    finally:
        client.kill()
        await client.wait()


def programs(language: str, folder: Path) -> list[str]:
    """How a client is started."""
    if language == "python":
        (folder / "follow.py").write_text(block("python"))
        return [sys.executable, str(folder / "follow.py")]
    node = shutil.which("node") or skip_or_fail("node", "no such program")
    (folder / "follow.mjs").write_text(block("js"))
    (folder / "run.mjs").write_text(RUN)
    return [node, "--experimental-websocket", "--no-warnings", str(folder / "run.mjs")]


async def said(client: asyncio.subprocess.Process, count: int) -> None:
    """Wait for so many events to be told."""
    assert client.stdout is not None
    async with asyncio.timeout(PATIENCE):
        for _ in range(count):
            assert (await client.stdout.readline()).startswith(b"message.created")
