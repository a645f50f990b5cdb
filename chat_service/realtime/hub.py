"""The living connections of this process: who they are, what they are told beside the log, their end.

Joins the feeds, the broker and the connections. Leaves each connection's protocol to `connection` and
`socket`, and the log's delivery to `events.feed`.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from random import uniform
from typing import Any, Final, cast
from uuid import UUID

import structlog

from chat_service import metrics
from chat_service.auth import Caller
from chat_service.config import Realtime
from chat_service.errors import Overloaded
from chat_service.events.broker import Broker, Ephemeral, Hint, Message
from chat_service.events.feed import Feeds, Hold, Row
from chat_service.events.source import Growth
from chat_service.realtime import closes
from chat_service.realtime.list_source import ListSource
from chat_service.realtime.lists import Lists
from chat_service.realtime.peer import Door, Peer, Watcher
from chat_service.realtime.rights import REGRANTING, changes_rights, moves_sight
from chat_service.realtime.slots import Told
from chat_service.schema import SessionId, TokenKind, Visibility, WorkspaceId

log = structlog.get_logger(__name__)
ENDING: Final = frozenset({"token.revoked"})

Key = tuple[WorkspaceId, UUID]


class Hub:
    """All connections of this process."""

    def __init__(self, feeds: Feeds, broker: Broker, settings: Realtime) -> None:
        self.feeds = feeds
        self.settings = settings
        self._broker = broker
        self._peers: dict[Key, dict[Peer, None]] = {}
        self._listeners: dict[tuple[WorkspaceId, SessionId], dict[Peer, None]] = {}
        self._holds: dict[WorkspaceId, tuple[Hold, int]] = {}
        self.leaving = False
        """Whether no new connection is wanted."""
        self._watchers: list[Watcher] = []
        self.connected: Counter[Door] = Counter()
        """How many connections there are of each kind."""
        self.lists = Lists(feeds, ListSource())
        feeds.observe(self)

    def watch(self, watcher: Watcher) -> None:
        """Have a watcher told from now on."""
        self._watchers.append(watcher)

    async def start(self) -> None:
        """Hear what other processes tell."""
        await self._broker.start(self._receive, self._outage)

    async def stop(self) -> None:
        """Hear nothing more."""
        self.lists.end()
        await self._broker.stop()

    def grown(self, growth: Growth) -> None:
        """A log has grown by a commit of this process."""
        self.feeds.offer(growth)
        self.publish(Hint(workspace=growth.workspace_id, pos=growth.pos))

    def enter(self, peer: Peer) -> None:
        """A connection is there; the oldest of too many sockets of one principal are closed.

        Raises Overloaded for a stream or long-poll too many, which has not entered then.
        """
        caller = peer.caller
        if peer.door is not Door.SOCKET:
            self._require_room(caller)
        self.connected[peer.door] += 1
        self._peers.setdefault(_principal(caller), {})[peer] = None
        if peer.door is Door.SOCKET:
            self._replace_oldest(caller)
        if self.leaving:
            peer.end(closes.RESTART)
        hold, count = self._holds.get(caller.workspace_id, (None, 0))
        if hold is None:
            self._broker.watch(caller.workspace_id)
            hold = self.feeds.hold(caller.workspace_id)
        self._holds[caller.workspace_id] = hold, count + 1
        for watcher in self._watchers:
            watcher.entered(caller)

    async def opened(self, workspace_id: WorkspaceId) -> None:
        """Wait until this workspace's log is read: from then on all that ends a right is heard.

        For one that has entered.
        """
        hold, _ = self._holds[workspace_id]
        await hold.open()

    def leave(self, peer: Peer) -> None:
        """A connection has ended."""
        caller = peer.caller
        self.connected[peer.door] -= 1
        peers = self._peers.get(_principal(caller), {})
        peers.pop(peer, None)
        if not peers:
            self._peers.pop(_principal(caller), None)
        for watcher in self._watchers:
            watcher.left(caller)
        hold, count = self._holds.pop(caller.workspace_id)
        if count > 1:
            self._holds[caller.workspace_id] = hold, count - 1
            return
        hold.close()
        self._broker.unwatch(caller.workspace_id)

    def listen(self, peer: Peer, session_id: SessionId) -> None:
        """Tell a connection what is said of a session beside its log."""
        key = peer.caller.workspace_id, session_id
        self._listeners.setdefault(key, {})[peer] = None

    def unlisten(self, peer: Peer, session_id: SessionId) -> None:
        """Tell it no more."""
        key = peer.caller.workspace_id, session_id
        listeners = self._listeners.get(key, {})
        listeners.pop(peer, None)
        if not listeners and self._listeners.pop(key, None) is not None:
            for watcher in self._watchers:
                watcher.unheard(*key)

    def listening(self, workspace_id: WorkspaceId, session_id: SessionId) -> list[Peer]:
        """Who listens to a session here."""
        return list(self._listeners.get((workspace_id, session_id), ()))

    @property
    def followed(self) -> int:
        """How many sessions somebody listens to here."""
        return len(self._listeners)

    def listened(self) -> list[tuple[WorkspaceId, SessionId]]:
        """The sessions that somebody listens to here."""
        return list(self._listeners)

    def serves(self, workspace_id: WorkspaceId) -> bool:
        """Whether anybody of a workspace is connected here."""
        return workspace_id in self._holds

    def staff(self, workspace_id: WorkspaceId) -> list[Peer]:
        """The connections of a workspace's staff here."""
        return [
            peer
            for (home, _), peers in self._peers.items()
            if home == workspace_id
            for peer in peers
            if not peer.caller.is_customer
        ]

    def publish(self, message: Message) -> None:
        """Tell the other processes, at most once; of what is beside the log their watchers hear."""
        metrics.BROKER_PUBLISHED.add(1)
        self._broker.publish(message)

    def show(self, frame: Told, message: Ephemeral) -> None:
        """Tell the listeners of a session here who may know it, but not who did it."""
        if message.session is None:
            return
        for peer in self.listening(message.workspace, message.session):
            caller = peer.caller
            hidden = caller.is_customer and message.visibility is Visibility.INTERNAL
            if not hidden and frame.actor != str(caller.actor.id):
                peer.tell(frame)

    def __call__(self, workspace_id: WorkspaceId, rows: Sequence[Row]) -> None:
        """Rows of the log that change who may listen."""
        for row in rows:
            if row.type in ENDING:
                self._end_token(workspace_id, UUID(cast(Any, row).data["token_id"]))
            elif row.type == "customer.blocked":
                blocked = UUID(cast(Any, row).data["customer_id"])
                for peer in self._peers.get((workspace_id, blocked), ()):
                    peer.end(closes.FORBIDDEN)
            elif row.type in REGRANTING:
                self._end_changed(workspace_id, row)
            elif row.session_id is not None and moves_sight(row):
                for peer in self.listening(workspace_id, SessionId(row.session_id)):
                    peer.recheck(SessionId(row.session_id))

    def rewound(self, workspace_id: WorkspaceId) -> None:
        """The log was set back, and what ended a right meanwhile may never be read."""
        for peer in self._everybody():
            if peer.caller.workspace_id == workspace_id:
                peer.doubt()

    async def drain(self, window: float) -> None:
        """Close every socket, each at its own moment of the next `window` seconds."""
        self.leaving = True
        await asyncio.gather(*(self._dismiss(peer, window) for peer in self._everybody()))

    async def _dismiss(self, peer: Peer, window: float) -> None:
        await asyncio.sleep(uniform(0, window))
        peer.end(closes.RESTART, after_ms=round(uniform(0, window) * 1000))

    def _everybody(self) -> list[Peer]:
        return [peer for peers in self._peers.values() for peer in peers]

    def _require_room(self, caller: Caller) -> None:
        """Whoever holds a stream would open it again, were it ended for a newer one."""
        peers = self._peers.get(_principal(caller), ())
        held = sum(peer.door is not Door.SOCKET for peer in peers)
        if held >= self.settings.streams_per_principal:
            metrics.STREAMS_FULL.inc()
            raise Overloaded("You have as many streams and long-polls as you may")

    def _replace_oldest(self, caller: Caller) -> None:
        """Those that were told before and have not left yet are among them: no other is for them."""
        sockets = [peer for peer in self._peers[_principal(caller)] if peer.door is Door.SOCKET]
        for peer in sockets[: max(0, len(sockets) - self._most(caller))]:
            peer.end(closes.REPLACED)

    def _most(self, caller: Caller) -> int:
        if caller.is_customer:
            return self.settings.sockets_per_customer
        return self.settings.sockets_per_agent

    def _end_token(self, workspace_id: WorkspaceId, token_id: UUID) -> None:
        for peer in self._everybody():
            if peer.caller.workspace_id == workspace_id and peer.caller.token_id == token_id:
                peer.end(closes.SIGNED_OUT)

    def _end_changed(self, workspace_id: WorkspaceId, row: Row) -> None:
        """They come again by themselves, and are then what the database says."""
        for peer in self.staff(workspace_id):
            if changes_rights(row, peer.caller):
                peer.end(closes.RIGHTS_CHANGED)

    def _receive(self, message: Message) -> None:
        """What another process tells."""
        metrics.BROKER_RECEIVED.add(1)
        if isinstance(message, Hint):
            self.feeds.hint(message.workspace, message.pos)
            return
        for watcher in self._watchers:
            watcher.heard(message)

    def _outage(self, down: bool) -> None:
        self.feeds.outage = down
        self.feeds.hurry()


def _principal(caller: Caller) -> Key:
    who = caller.token_id if caller.kind is TokenKind.KEY else caller.actor.id
    return caller.workspace_id, UUID(str(who))
