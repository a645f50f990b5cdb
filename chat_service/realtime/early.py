"""Between asking for a session and following it, so that nothing told meanwhile is missed."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from chat_service.realtime.closes import Close
from chat_service.realtime.hub import Hub
from chat_service.realtime.peer import Peer
from chat_service.realtime.slots import Slots, Told
from chat_service.schema import SessionId


class Early:
    """Listens to a session for a connection that does not yet."""

    def __init__(self, peer: Peer) -> None:
        self.caller = peer.caller
        self.door = peer.door
        self.slots = Slots()
        self.doubted = False

    def tell(self, frame: Told) -> None:
        """Keep it."""
        self.slots.put(frame)

    def end(self, close: Close, *, after_ms: int = 0) -> None:
        """That is told to the connection itself."""

    def doubt(self) -> None:
        """That is told to the connection itself."""

    def recheck(self, session_id: SessionId) -> None:
        """The right that was found may be gone."""
        self.doubted = True


@contextmanager
def joining(hub: Hub, peer: Peer, session_id: SessionId) -> Iterator[None]:
    """While a connection reads what holds of a session, and does not listen to it yet.

    Where it listens at the end, it is told what it has missed.
    """
    early = Early(peer)
    hub.listen(early, session_id)
    try:
        yield
    finally:
        hub.unlisten(early, session_id)
        if peer in hub.listening(peer.caller.workspace_id, session_id):
            for frame in early.slots.take(now=asyncio.get_running_loop().time()):
                peer.tell(frame)
            if early.doubted:
                peer.recheck(session_id)
