"""Small ASGI applications, and the two ways to serve them: in the test's loop, in a process.

Run as a module it is what the command line is for the service: `apps NAME SETTINGS [--fd N]`, with
the settings as JSON, serves the application NAME and prints its URL when it does.
"""

import asyncio
import contextlib
import gc
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from chat_service.config import Server
from chat_service.server.asgi import Application
from chat_service.server.drain import Drain
from chat_service.server.process import uvicorn_config
from chat_service.server.runner import listen, serve, serve_child
from chat_service.test.server.sockets import SOCKETS, goodbyes

MODULE = "chat_service.test.server.apps"
PATIENCE = 20.0
"""Seconds after which a test fails rather than hangs."""

Handler = Callable[[Any], Awaitable[tuple[int, str]]]


class App:
    """Answers each path by a handler that returns status and text; knows of its drain."""

    def __init__(
        self,
        handlers: dict[str, Handler],
        start: Callable[[], None] = lambda: None,
        stop: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.drain = Drain()
        self._handlers = handlers
        self._start = start
        self._stop = stop

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            self._start()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            if self._stop:
                await self._stop()
            await send({"type": "lifespan.shutdown.complete"})
            return
        if scope["type"] == "websocket":
            await SOCKETS[scope["path"].strip("/")](receive, send)
            return
        status, text = await self._handlers[scope["path"].strip("/")](scope)
        await answer(send, text.encode(), status)


async def answer(send: Any, body: bytes = b"", status: int = 200) -> None:
    """A whole answer."""
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def serving(
    app: Application, *, keep_alive: int = 75, pings: float = 25, **settings: Any
) -> AsyncIterator[uvicorn.Server]:
    """Serve in this loop, on a port of its own: `port_of` tells it."""
    config = uvicorn_config(app, Server(**settings), getattr(app, "drain", Drain()))
    config.lifespan = "off"
    config.timeout_keep_alive = keep_alive
    config.ws_ping_interval = config.ws_ping_timeout = pings
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with listen("127.0.0.1", 0) as sock:
        await server.startup(sockets=[sock])
        try:
            yield server
        finally:
            server.servers[0].close()
            for connection in list(server.server_state.connections):
                connection.transport.abort()
            await until(lambda: not server.server_state.connections)


def port_of(server: uvicorn.Server) -> int:
    """The port a server of `serving` listens on."""
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


async def until(happened: Callable[[], object]) -> None:
    """Wait for a condition; raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while not happened():
            await asyncio.sleep(0.01)


async def _pid(scope: Any) -> tuple[int, str]:
    return 200, str(os.getpid())


async def _ready(scope: Any) -> tuple[int, str]:
    return (503, "draining") if app.drain.draining else (200, "ready")


async def _slow(scope: Any) -> tuple[int, str]:
    print("slow begun", flush=True)
    await asyncio.sleep(float(scope["query_string"] or 0.5))
    return 200, "slow"


async def _client(scope: Any) -> tuple[int, str]:
    return 200, str(scope["client"][0])


async def _garbage(scope: Any) -> tuple[int, str]:
    return 200, json.dumps([gc.get_threshold(), gc.get_freeze_count()])


async def _lane() -> None:
    await asyncio.sleep(0.1)
    print("lane finished", flush=True)


def _exit_4() -> None:
    raise SystemExit(4)


def _exit_text() -> None:
    raise SystemExit("no number")


def _fail() -> None:
    raise ValueError("start-up failed")


def _fail_until_file() -> None:
    if not Path(os.environ["WAITED_FOR"]).exists():
        raise ValueError("not yet")


HANDLERS: dict[str, Handler] = {
    "pid": _pid,
    "ready": _ready,
    "slow": _slow,
    "client": _client,
    "garbage": _garbage,
}
app = App(HANDLERS)
app.drain.add(_lane)
says_goodbye = App(HANDLERS)
says_goodbye.drain.add_farewell(goodbyes.drain)
exits_4 = App({}, _exit_4)
exits_text = App({}, _exit_text)
fails = App({}, _fail)
never_stops = App(HANDLERS, stop=partial(asyncio.sleep, 60))
fails_until_file = App(HANDLERS, _fail_until_file)


async def undrained(scope: Any, receive: Any, send: Any) -> None:
    """An application that knows nothing of drains."""
    await App(HANDLERS)(scope, receive, send)


def main(name: str, settings: str, option: str = "", fd: str = "") -> int:
    """Serve as the command line would."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    target, config = f"{MODULE}:{name}", Server(**json.loads(settings))
    if option:
        return serve_child(target, config, int(fd))
    child = [sys.executable, "-W", "error", "-m", MODULE, name, settings]
    return serve(target, config, ready=lambda url: print(url, flush=True), child=child)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
