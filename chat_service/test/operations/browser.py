"""A real Chromium, driven by its command line: what a page shows and what it complained of."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chat_service.test.require import skip_or_fail

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
OPTIONS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--enable-logging=stderr",
    "--virtual-time-budget=20000",
    # Nobody but the service under test can be reached.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@dataclass(frozen=True)
class Seen:
    """A page after its scripts have run, and the lines of its console."""

    html: str
    console: list[str]


def open_page(url: str, folder: Path) -> Seen:
    """Load a page in a browser with an empty profile in `folder`."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        skip_or_fail("chromium", "no such program")
    command = [found, *OPTIONS, f"--user-data-dir={folder}", "--dump-dom", url]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    console = [line for line in run.stderr.splitlines() if ":CONSOLE" in line]
    return Seen(run.stdout, console)
