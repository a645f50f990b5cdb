"""A real nginx in front of a service, on a free port of 127.0.0.1, with the configuration of a test."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from chat_service.server.runner import listen
from chat_service.test.require import skip_or_fail

START_SECONDS: Final = 10
CONFIG: Final = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
"""
PLAIN: Final = "server {{ listen 8080; location / {{ proxy_pass http://{place}; {more} }} }}"
"""A reverse proxy as one writes it down without thinking of sockets."""


@contextmanager
def nginx(servers: str, folder: Path) -> Iterator[str]:
    """Run nginx with these servers, of which one listens on 8080; gives the address in its place."""
    program = shutil.which("nginx")
    if program is None:
        skip_or_fail("nginx", "no such program")
    with listen("127.0.0.1", 0) as sock:
        place = f"127.0.0.1:{sock.getsockname()[1]}"
    config = folder / "nginx.conf"
    listening = servers.replace("listen 8080", f"listen {place}")
    config.write_text(CONFIG.format(folder=folder, servers=listening))
    command = [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config)]
    process = subprocess.Popen(command)
    try:
        _wait(process, folder)
        yield f"http://{place}"
    finally:
        process.terminate()
        process.wait()


def _wait(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Until it has opened its port, which it does before it writes its number."""
    end = time.monotonic() + START_SECONDS
    while not (folder / "nginx.pid").exists():
        assert process.poll() is None, (folder / "error.log").read_text()
        assert time.monotonic() < end, "nginx did not start"
        time.sleep(0.02)
