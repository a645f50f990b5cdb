"""The two ways to serve: this process alone, or as the parent of several.

Owns the listening socket and its options. What one process does is in `process`, how several are
kept alive in `workers`.
"""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Final

from chat_service.config import Server
from chat_service.server.figures import shared_folder
from chat_service.server.process import BACKLOG, run
from chat_service.server.workers import Workers

CHILD: Final = (sys.executable, "-m", "chat_service.cli", "serve")
PARENT: Final = 0  # a child's standard input is its channel to the parent
UNSENT_MILLISECONDS: Final = 30_000
"""How long a peer may leave what was sent to it unacknowledged (TCP_USER_TIMEOUT)."""


def serve(
    app: str,
    config: Server,
    *,
    ready: Callable[[str], None] | None = None,
    child: Sequence[str] = CHILD,
) -> int:
    """Serve `app`, an import string, until told to stop; returns the exit code of the process.

    SIGTERM and SIGINT drain, a second one ends at once. `ready` gets the URL when the first process
    serves. With several workers `child` and `--fd N` is the command of each, which has to call
    `serve_child`; SIGHUP restarts them one after the other. Exit codes: 0, 130 after SIGINT, 1 when
    the address cannot be had, else what a SystemExit in the application's start-up carries, or 1.
    """
    try:
        sock = listen(config.host, config.port)
    except OSError as error:
        address = f"{config.host}, port {config.port}"
        print(f"cannot listen on {address}: {error.strerror}", file=sys.stderr)
        return 1
    announce = ready or (lambda _: None)
    url = _url(config.host, sock)
    with sock:
        if config.workers == 1:
            return run(app, config, sock, ready=lambda: announce(url))
        command = [*child, "--fd", str(sock.fileno())]
        # Where nobody may read the figures of all workers, each keeps its own to itself.
        share = shared_folder() if config.metrics_token else contextlib.nullcontext()
        with share as folder:
            workers = Workers(
                command, sock, config.workers, ready=lambda: announce(url), figures=folder
            )
            return asyncio.run(workers.run())


def serve_child(app: str, config: Server, fd: int) -> int:
    """Serve `app` on the inherited listening socket `fd`, as a child of `serve`.

    Standard input is the channel to the parent: a byte goes up when this process serves, and its
    end means that the parent wants another in its place, or is gone. Returns as `serve` does.
    """

    def ready() -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(PARENT, b"1")

    with socket.socket(fileno=fd) as sock:
        return run(app, config, sock, ready=ready, parent=PARENT)


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; "*" is every address, IPv6 and IPv4 where the host has both.

    Raises OSError when the address cannot be had.
    """
    if host == "*":
        dual = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if dual else socket.AF_INET
        sock = socket.create_server(("", port), family=family, backlog=BACKLOG, dualstack_ipv6=dual)
    else:
        first = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        family, address = first[0], first[-1]
        sock = socket.create_server(address, family=family, backlog=BACKLOG)
    # Accepted sockets inherit both.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNSENT_MILLISECONDS)
    return sock


def _url(host: str, sock: socket.socket) -> str:
    name = "localhost" if host in ("*", "0.0.0.0", "::") else host
    return f"http://{f'[{name}]' if ':' in name else name}:{sock.getsockname()[1]}"
