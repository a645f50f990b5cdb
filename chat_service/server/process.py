"""One serving process: uvicorn with our settings, which drains before it ends.

Owns uvicorn's settings, what a signal means, and the way from start-up to exit code. The listening
socket and the choice between one process and several belong to `runner`.
"""

import asyncio
import gc
import math
import pkgutil
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Protocol, runtime_checkable

import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from chat_service.config import Server
from chat_service.server.asgi import Application
from chat_service.server.drain import Drain
from chat_service.server.protocols import HttpProtocol, bounded, require_overrides
from chat_service.server.websockets import WebSocketProtocol

BACKLOG: Final = 2048
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
INTERRUPTED: Final = 130
CLOSE_SECONDS: Final = 5.0
"""How long the application's own shut-down may take, after its requests are done."""
LAST_MOMENT_SECONDS: Final = 0.1

log = structlog.get_logger(__name__)


@runtime_checkable
class Drained(Protocol):
    """An application that wants to know of the drain, or has something to finish."""

    drain: Drain


class DrainingServer(uvicorn.Server):
    """uvicorn's server with a drain; `parent` is a child's channel to its parent."""

    def __init__(
        self,
        config: uvicorn.Config,
        settings: Server,
        drain: Drain,
        ready: Callable[[], None],
        parent: int | None,
    ) -> None:
        super().__init__(config)
        self._balancer_seconds = settings.balancer_seconds
        self._drain_seconds = settings.drain_seconds
        self._window = settings.drain_window_seconds
        self._drain = drain
        self._ready = ready
        self._parent = parent
        self.interrupted = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application and listen; ends in SystemExit when the lifespan fails."""
        await super().startup(sockets)
        # What start-up made lives as long as the process: collections need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 50, 1_000)
        self._ready()
        if self._parent is None:
            # A closed terminal must not cut requests either; the parent of several has its own use.
            signal.signal(signal.SIGHUP, self.handle_exit)
        else:
            asyncio.get_running_loop().add_reader(self._parent, self._leave, self._parent)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the drain; a second signal has its default effect, and ends it at once.

        Not so in a child: the same signal may come to it twice, from a supervisor that signals
        every process and from the parent. To end it at once is the parent's part.
        """
        self.should_exit = True
        self.interrupted = sig == signal.SIGINT
        if self._parent is None:
            for handled in SIGNALS:
                signal.signal(handled, signal.SIG_DFL)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then let uvicorn wait for requests in flight and end the lifespan."""
        left = await self._drain.run(
            wait=0.0 if self.interrupted and self._deserted() else self._balancer_seconds,
            window=self._window,
            limit=self._drain_seconds,
            stop=self._stop_accepting,
            close=self._close_sockets,
        )
        self.config.timeout_graceful_shutdown = math.ceil(left)
        try:
            async with asyncio.timeout(left + CLOSE_SECONDS):
                await super().shutdown(sockets)
        except TimeoutError:
            log.error("shutdown_unfinished", seconds=CLOSE_SECONDS)

    def _leave(self, parent: int) -> None:
        """The parent wants another in this place, or is gone."""
        asyncio.get_running_loop().remove_reader(parent)
        # The balancer has nothing to learn: the other children serve the same socket.
        self._balancer_seconds = 0.0
        self.should_exit = True

    def _deserted(self) -> bool:
        """Whether nobody waits for anything; connections kept alive between requests do not."""
        connections = self.server_state.connections
        idle = all(isinstance(one, HttpProtocol) and one.idle for one in connections)
        return idle and not self.server_state.tasks

    async def _stop_accepting(self) -> None:
        for server in self.servers:
            server.close()
        # A connection that was accepted in the last moment has yet to send its request.
        await asyncio.sleep(LAST_MOMENT_SECONDS)
        for connection in list(self.server_state.connections):
            if isinstance(connection, HttpProtocol):
                connection.shutdown()

    async def _close_sockets(self, seconds: float) -> None:
        """Close the sockets one by one, evenly over this time."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        connections = self.server_state.connections
        sockets = [one for one in connections if isinstance(one, WebSocketProtocol)]
        for number, one in enumerate(sockets):
            await asyncio.sleep(begin + number / len(sockets) * seconds - loop.time())
            one.shutdown()


class _Start:
    """The application as uvicorn sees it, which keeps the exit code its start-up ends with."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self.exit_code = 1

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self._application(scope, receive, send)
            return
        try:
            await self._application(scope, receive, send)
        except SystemExit as error:
            # The application has said why; uvicorn would print a traceback and drop the code.
            if isinstance(error.code, int):
                self.exit_code = error.code
            await send({"type": "lifespan.startup.failed"})


def run(
    app: str,
    settings: Server,
    sock: socket.socket,
    *,
    ready: Callable[[], None],
    parent: int | None = None,
) -> int:
    """Serve `app`, an import string, on the listening `sock` until told to stop.

    `ready` is called when the socket is being served; the end of the file `parent` drains, without
    the wait for the balancer. Returns the exit code: 0, 130 after SIGINT, what a SystemExit in the
    application's start-up carries, else 1.
    """
    require_overrides(HttpProtocol, HttpToolsProtocol)
    require_overrides(WebSocketProtocol, WebSocketsSansIOProtocol)
    require_overrides(DrainingServer, uvicorn.Server)
    application = pkgutil.resolve_name(app)
    start = _Start(application)
    drain = application.drain if isinstance(application, Drained) else Drain()
    server = DrainingServer(uvicorn_config(start, settings, drain), settings, drain, ready, parent)
    try:
        server.run(sockets=[sock])
    except SystemExit:
        return start.exit_code
    return INTERRUPTED if server.interrupted else 0


def uvicorn_config(application: Application, settings: Server, drain: Drain) -> uvicorn.Config:
    """uvicorn's settings; what is not named here has uvicorn's default."""
    return uvicorn.Config(
        application,
        loop="uvloop",
        http=bounded(settings, drain),
        ws=WebSocketProtocol,
        ws_max_size=65_536,
        ws_per_message_deflate=False,  # a small message may inflate to any size
        ws_ping_interval=25,
        ws_ping_timeout=20,
        lifespan="on",
        # The application says how logs look. A level below WARNING would log query strings.
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=math.ceil(settings.drain_seconds),
    )
