"""The same application under another server, which is for development: the README's first chat."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from chat_service.server.runner import listen
from chat_service.test.cli.programs import SECONDS, Shell

README = Path(__file__).parents[3] / "README.md"
HYPERCORN = (sys.executable, "-m", "hypercorn", "chat_service.asgi:app")

pytestmark = pytest.mark.timeout(2 * SECONDS)


@pytest.fixture
def url(seeded: Shell) -> Iterator[str]:
    """Where hypercorn serves the demo workspace."""
    with listen("127.0.0.1", 0) as sock:
        address = f"http://localhost:{sock.getsockname()[1]}"
        process = subprocess.Popen(
            [*HYPERCORN, "--bind", f"fd://{sock.fileno()}"],
            cwd=seeded.folder,
            env=seeded.environment({}),
            pass_fds=[sock.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert httpx2.get(f"{address}/health", timeout=SECONDS).json() == {"status": "ok"}
            yield address
            process.terminate()
            assert process.wait(SECONDS) == 0
        finally:
            process.kill()
            process.wait()


def test_the_first_chat_of_the_readme_goes_word_by_word(seeded: Shell, url: str) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
    commands = str(block).replace("http://localhost:8080", url)
    chat = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=seeded.folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (chat.returncode, chat.stderr) == (0, "")
    seen = chat.stdout.splitlines()[-1]
    assert "Where is my order?" in seen and "It left this morning." in seen
    assert "Regular customer." not in seen
