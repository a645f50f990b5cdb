"""What other libraries log comes out in our form, and without what was filled in."""

import json
import subprocess
import sys

import pytest

LOGGING = """
import logging
from chat_service import logs
from chat_service.config import Log

for _ in range(2):
    logs.configure(Log(level="debug"))
asyncio = logging.getLogger("asyncio")
try:
    raise ValueError("a secret of ours")
except ValueError:
    asyncio.exception("Task exception was never retrieved\\nfuture: a secret of ours")
asyncio.warning("Executing %s took too long", "a secret of ours")
asyncio.info("of no interest: a secret of ours")
"""


@pytest.mark.asvs("16.2.4", "16.2.5")
def test_a_library_is_quoted_without_its_values() -> None:
    run = subprocess.run([sys.executable, "-c", LOGGING], capture_output=True, check=True)
    lines = [json.loads(line) for line in run.stderr.decode().splitlines()]
    assert [line["event"] for line in lines] == [
        "Task exception was never retrieved",
        "Executing %s took too long",
    ]
    assert (lines[0]["error"], lines[0]["source"]) == ("ValueError", "asyncio")
    assert b"secret" not in run.stderr
