"""Which broker a configuration means, and the one of a process that is alone."""

import pytest

from chat_service.config import BrokerSettings
from chat_service.events.broker import Hint, LocalBroker, open_broker
from chat_service.events.broker_nats import NatsBroker
from chat_service.events.broker_postgres import PostgresBroker
from chat_service.schema import WorkspaceId
from chat_service.test.events.peers import Peer

SQLITE = "sqlite:///var/chat.db"
POSTGRES = "postgresql://chat@host/chat?sslmode=verify-full"


@pytest.mark.parametrize(
    ("url", "database_url", "kind"),
    [
        ("", SQLITE, LocalBroker),
        ("", POSTGRES, PostgresBroker),
        ("memory://", POSTGRES, LocalBroker),
        ("postgres://", POSTGRES, PostgresBroker),
        ("nats://a,b:4222", POSTGRES, NatsBroker),
        ("nats://a", SQLITE, NatsBroker),
    ],
)
def test_the_url_chooses_the_broker(url: str, database_url: str, kind: type) -> None:
    assert type(open_broker(BrokerSettings(url=url), database_url)) is kind


async def test_a_process_that_is_alone_is_never_told_anything(workspace_id: WorkspaceId) -> None:
    one, other = Peer(LocalBroker()), Peer(LocalBroker())
    for peer in (one, other):
        peer.broker.watch(workspace_id)
        await peer.start()
        assert peer.outages == [False]
    one.broker.publish(Hint(workspace=workspace_id, pos=1))
    for peer in (one, other):
        peer.broker.unwatch(workspace_id)
        await peer.broker.stop()
        assert (peer.received, peer.outages) == ([], [False])
