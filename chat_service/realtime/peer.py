"""A connection and a watcher as the hub sees them."""

from enum import StrEnum
from typing import Protocol

from chat_service.auth import Caller
from chat_service.events.broker import Ephemeral
from chat_service.realtime.closes import Close
from chat_service.realtime.slots import Told
from chat_service.schema import SessionId, WorkspaceId


class Door(StrEnum):
    """By what a connection came."""

    SOCKET = "socket"
    STREAM = "stream"
    POLL = "poll"


class Peer(Protocol):
    """A connection as the hub sees it."""

    @property
    def caller(self) -> Caller: ...

    @property
    def door(self) -> Door: ...

    def end(self, close: Close, *, after_ms: int = 0) -> None:
        """Say goodbye and close, at the next moment; only the first word of it counts."""

    def tell(self, frame: Told) -> None:
        """Tell something that is not in the log; only the newest of a slot is kept."""

    def doubt(self) -> None:
        """Whether the caller may be here at all may have changed."""

    def recheck(self, session_id: SessionId) -> None:
        """Who may see this session may have changed."""


class Watcher(Protocol):
    """Who wants to know who is connected here, and what other processes tell beside the log."""

    def entered(self, caller: Caller) -> None:
        """A connection is there."""

    def left(self, caller: Caller) -> None:
        """A connection has ended."""

    def unheard(self, workspace_id: WorkspaceId, session_id: SessionId) -> None:
        """Nobody here listens to this session any more."""

    def heard(self, message: Ephemeral) -> None:
        """Another process told something; who may know it is for the watcher to say."""
