"""What is said beside the log goes on after a fault."""

import asyncio
from pathlib import Path

import attrs
from structlog.testing import capture_logs

from chat_service.app import create_app
from chat_service.config import Realtime
from chat_service.events.broker import Ephemeral, Message
from chat_service.model import migrations
from chat_service.realtime.company import GONE
from chat_service.test.builders import build_workspace
from chat_service.test.conftest import config_of
from chat_service.test.events.apart import client_of
from chat_service.test.realtime.bare import bare_socket
from chat_service.test.realtime.exchange import Exchange, Joined
from chat_service.test.realtime.list_client import until


class Failing(Joined):
    """A broker that takes the first word of somebody's leaving for a fault."""

    def __init__(self) -> None:
        super().__init__(Exchange())
        self.gone = asyncio.Event()
        self._fails = True

    def publish(self, message: Message) -> None:
        """Let the others know of all but the first."""
        if isinstance(message, Ephemeral) and message.frame["op"] == GONE:
            self.gone.set()
            if self._fails:
                self._fails = False
                raise ValueError("a fault")
        super().publish(message)


async def test_presence_ends_for_others_after_it_failed_for_one(tmp_path: Path) -> None:
    config = config_of(f"sqlite:///{tmp_path / 'chat.db'}", tmp_path)
    config = attrs.evolve(config, realtime=Realtime(presence_seconds=0.05))
    broker = Failing()
    service = create_app(config, broker=broker)
    await migrations.upgrade(service.database.engine)
    with service.database.bound(), capture_logs() as logs:
        async with service.quart.test_app(), client_of(service) as client:
            workspace = await build_workspace(service, client)
            for _ in range(2):
                async with bare_socket(service, await workspace.customer()) as socket:
                    socket.put("websocket.disconnect")
                await until(broker.gone.is_set)
                broker.gone.clear()
    assert "background_work_failed" in [log["event"] for log in logs]
