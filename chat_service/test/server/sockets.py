"""Small applications behind a WebSocket, by their path."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

Socket = Callable[[Any, Any], Awaitable[None]]


async def accept(receive: Any, send: Any) -> None:
    """Open a socket."""
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})


async def echo(receive: Any, send: Any) -> None:
    """Send back what comes, as what it came."""
    await accept(receive, send)
    while (message := await receive())["type"] == "websocket.receive":
        await send(message | {"type": "websocket.send"})


async def _deaf(receive: Any, send: Any) -> None:
    """Never ask for what comes."""
    await accept(receive, send)
    await asyncio.sleep(3_600)


async def _broken(receive: Any, send: Any) -> None:
    """Fail as soon as something comes."""
    await accept(receive, send)
    await receive()
    raise ValueError("the application is broken")


async def _much(receive: Any, send: Any) -> None:
    """Send more than the kernel takes for a peer that does not read, then do as `echo` does."""
    await accept(receive, send)
    await send({"type": "websocket.send", "text": "x" * 20_000_000})
    print("much sent", flush=True)
    await receive()


class Goodbyes:
    """Sockets that are told when the process leaves, as a hub would do it."""

    def __init__(self) -> None:
        self._open: list[Any] = []

    async def __call__(self, receive: Any, send: Any) -> None:
        """Serve one socket."""
        await accept(receive, send)
        self._open.append(send)
        while (await receive())["type"] == "websocket.receive":
            pass

    async def drain(self, window: float) -> None:
        """Say goodbye to each socket and close it."""
        for send in self._open:
            await send({"type": "websocket.send", "text": f"goodbye within {window}"})
            await send({"type": "websocket.close", "code": 4999})
        print("goodbyes said", flush=True)


goodbyes = Goodbyes()
SOCKETS: Final[dict[str, Socket]] = {
    "echo": echo,
    "deaf": _deaf,
    "broken": _broken,
    "much": _much,
    "goodbyes": goodbyes,
}
