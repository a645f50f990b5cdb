"""The clients that the guide shows, as programs."""

import asyncio
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from chat_service.test.realtime.talkers import PATIENCE
from chat_service.test.require import skip_or_fail

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "realtime.md").read_text()
LANGUAGES: Final = ("python", "js")
RUN: Final = {
    "python": """
import asyncio, sys
from follow import follow

tokens, session, cursor, *urls = sys.argv[1:]

async def begin(url):
    left = tokens.split(",")
    async def token(renew):
        del left[:renew]
        return left[0]
    def apply(event):
        print(event["type"], event["seq"], flush=True)
    print("ended", await follow(url, token, session, cursor, apply), flush=True)

async def main():
    await asyncio.gather(*map(begin, urls))

asyncio.run(main())
""",
    "js": """
import { follow } from "./follow.mjs";

const [tokens, session, cursor, ...urls] = process.argv.slice(2);
for (const url of urls) {
  const left = tokens.split(",");
  const token = async (renew) => { if (renew) left.shift(); return left[0]; };
  const apply = (event) => console.log(event.type, event.seq);
  follow(url, token, session, cursor, apply).then((why) => console.log("ended", why));
}
""",
}
"""Follow at each address, with the next of the tokens whenever one has ended; tell why it ended."""
LONGEST: Final = {
    "python": "import random\nrandom.uniform = lambda least, most: most\n",
    "js": "Math.random = () => 1;\n",
}
"""Chance that always lets wait as long as there is to wait."""


def block(language: str) -> str:
    """The program that the guide shows in a language."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    return str(text)


class Client:
    """A client that runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def told(self) -> str:
        """The next event: its type and number; at the end why it ended."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            return (await self._process.stdout.readline()).decode().strip()

    async def rest(self) -> list[str]:
        """All events until the client ends by itself, and why it did."""
        async with asyncio.timeout(PATIENCE):
            told, _ = await self._process.communicate()
        assert self._process.returncode == 0
        return told.decode().splitlines()


@asynccontextmanager
async def guided(
    language: str, folder: Path, *given: str, waits_longest: bool = False
) -> AsyncIterator[Client]:
    """A client with its arguments: tokens, session, cursor, and addresses to follow it at."""
    run = (LONGEST[language] if waits_longest else "") + RUN[language]
    process = await asyncio.create_subprocess_exec(
        *_command(language, folder, run), *given, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Client(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _command(language: str, folder: Path, run: str) -> list[str]:
    if language == "python":
        (folder / "follow.py").write_text(block("python"))
        (folder / "run.py").write_text(run)
        return [sys.executable, str(folder / "run.py")]
    node = shutil.which("node") or skip_or_fail("node", "no such program")
    (folder / "follow.mjs").write_text(block("js"))
    (folder / "run.mjs").write_text(run)
    return [node, "--experimental-websocket", "--no-warnings", str(folder / "run.mjs")]
