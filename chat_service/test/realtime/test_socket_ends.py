"""How a socket ends whose other side does not read, by the application's own words to the server."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import httpx2
import pytest

from chat_service.app import Service, create_app
from chat_service.config import Realtime
from chat_service.model import migrations
from chat_service.test.builders import build_workspace
from chat_service.test.conftest import config_of
from chat_service.test.realtime.talkers import PATIENCE


@pytest.fixture
async def hasty(tmp_path: Path) -> AsyncIterator[Service]:
    """A service that gives up soon."""
    config = config_of(f"sqlite:///{tmp_path / 'chat.db'}", tmp_path)
    service = create_app(attrs.evolve(config, realtime=Realtime(send_seconds=0.1)))
    await migrations.upgrade(service.database.engine)
    with service.database.bound():
        await service.quart.startup()
        yield service
        await service.quart.shutdown()


class Server:
    """The server's side of one socket: nothing leaves after the frame named `stuck`."""

    def __init__(self, token: str, *, stuck: str) -> None:
        self.sent: list[Any] = []
        self._stuck = f'{{"op":"{stuck}"'
        self._events: asyncio.Queue[Any] = asyncio.Queue()
        self._events.put_nowait({"type": "websocket.connect"})
        hello = json.dumps({"op": "hello", "token": token})
        self._events.put_nowait({"type": "websocket.receive", "text": hello})

    async def receive(self) -> Any:
        return await self._events.get()

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if message["type"] == "websocket.close":
            self._events.put_nowait({"type": "websocket.disconnect", "code": message["code"]})
        elif message.get("text", "").startswith(self._stuck):
            await asyncio.Event().wait()


async def test_a_reader_whose_frame_does_not_leave_in_time_is_closed_as_slow(
    hasty: Service,
) -> None:
    transport = httpx2.ASGITransport(app=hasty)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        customer = await (await build_workspace(hasty, client)).customer()
    server = Server(customer.token, stuck="welcome")
    scope = {
        "type": "websocket",
        "path": "/v1/realtime",
        "scheme": "ws",
        "headers": [(b"host", b"test")],
    }
    async with asyncio.timeout(PATIENCE):
        await hasty(scope | {"subprotocols": ["chat.v1"]}, server.receive, server.send)
    goodbye = json.loads(server.sent[-2]["text"])
    assert (goodbye["op"], goodbye["code"], goodbye["reconnect"]) == ("goodbye", 4008, True)
    assert (server.sent[-1]["type"], server.sent[-1]["code"]) == ("websocket.close", 4008)
    assert hasty.hub.connected.total() == 0
