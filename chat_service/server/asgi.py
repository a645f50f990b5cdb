"""What wraps the application on any ASGI server: no cut writes, no sockets that nobody awaits.

Owns nothing but the two callables of a request. The bounds of a head belong to `protocols`, those
of a body to the framework, which knows the route.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

# Every server and framework has its own types for the same three arguments.
Application = Callable[[Any, Any, Any], Awaitable[None]]

WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class KeepWrites:
    """Keeps the client's leaving from a request that writes, once its body is whole.

    Before that, and for every other method, `http.disconnect` passes: a body that will never be
    whole must end, and a stream has to notice that nobody listens.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one ASGI scope."""
        if scope["type"] != "http" or scope["method"] not in WRITES:
            await self._application(scope, receive, send)
            return
        write = _Write(receive, send)
        try:
            await self._application(scope, write.receive, write.send)
        finally:
            write.answered.set()


class _Write:
    """The two callables of one request that writes."""

    def __init__(self, receive: Any, send: Any) -> None:
        self._receive = receive
        self._send = send
        self._whole = False
        self.answered = asyncio.Event()

    async def receive(self) -> Any:
        if self._whole:
            # Whoever still waits here when the application is done must not wait for ever.
            await self.answered.wait()
            return {"type": "http.disconnect"}
        message = await self._receive()
        self._whole = message["type"] == "http.request" and not message.get("more_body", False)
        return message

    async def send(self, message: Any) -> None:
        # By an OSError a server may tell that the client left (ASGI 2.4); the write goes on.
        with contextlib.suppress(OSError):
            await self._send(message)
