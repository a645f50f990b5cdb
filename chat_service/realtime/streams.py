"""A session's events over HTTP as they happen: server-sent events, and the wait of a long-poll."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Final

import orjson

from chat_service.auth import Caller
from chat_service.errors import NotFound
from chat_service.events.feed import Item, Reset, Side, Subscription
from chat_service.events.transaction import looking
from chat_service.realtime.hub import Hub
from chat_service.realtime.lag import Lag
from chat_service.realtime.listener import Listener
from chat_service.realtime.peer import Door
from chat_service.realtime.source import KINDS
from chat_service.realtime.states import States
from chat_service.schema import Cursor, SessionId
from chat_service.sessions import queries as sessions

HEARTBEAT_SECONDS: Final = 15.0
RETRY: Final = b"retry: 3000\n"
"""How many milliseconds a client waits before it comes again; it opens the first event."""
PROBES: Final = 3
PROBE_SECONDS: Final = 0.5


def side_of(caller: Caller) -> Side:
    """Whose numbering a caller reads by."""
    return Side.CUSTOMER if caller.is_customer else Side.STAFF


class EventStream:
    """One session told to one caller from a cursor on."""

    def __init__(self, hub: Hub, states: States, caller: Caller, session_id: SessionId) -> None:
        """Listens from now on, so `close` has to follow. Raises Overloaded."""
        self._states = states
        self._caller = caller
        self._session_id = session_id
        self._head = 0
        self._side = side_of(caller)
        self._listener = Listener(hub, caller, session_id, door=Door.STREAM)
        self._lag = Lag(hub.settings.lag_events)
        self._heartbeat = min(HEARTBEAT_SECONDS, hub.settings.heartbeat_seconds)
        self._listener.enter()
        self._subscription: Subscription = hub.feeds.subscribe(
            caller.workspace_id, session_id, self._side, wake=self._listener.wake
        )

    async def attach(self, cursor: Cursor) -> Reset | None:
        """Begin after a cursor, before anything is answered; tells why that cannot be."""
        found = await self._subscription.attach(cursor)
        if isinstance(found, Reset):
            return found
        self._head = found
        return None

    def close(self) -> None:
        """Listen no more; harmless where it was closed before."""
        if self._listener.inside:
            self._listener.leave()
            self._subscription.close()

    async def chunks(self, may_go_on: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
        """The stream, until the caller leaves or loses the right to it, or the service ends."""
        try:
            # NotFound: the right to it was lost in the moment since it was asked for.
            with suppress(NotFound):
                yield RETRY + sse_event("state", await self._subscribed())
                async for chunk in self._tell(may_go_on):
                    yield chunk
        finally:
            self.close()

    async def _subscribed(self) -> bytes:
        """What a stream begins with, which has no number; the listener is told what comes after."""
        state = await self._states.of(self._caller, self._session_id)
        stream = f"session:{self._session_id}"
        begun = {"op": "subscribed", "stream": stream, "head_seq": self._head, "resumed": True}
        return orjson.dumps(begun | {"state": state})

    async def _tell(self, may_go_on: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
        while self._listener.ended is None and await may_go_on() and await self._may_see():
            batch = await self._subscription.pull()
            if isinstance(batch, Reset):
                yield sse_event("reset", orjson.dumps({"reason": batch}))
                return
            if batch:
                yield b"".join(_logged(self._side, item) for item in batch)
                if self._is_late():
                    return
            elif self._listener.slots:
                waiting = self._listener.slots.take(now=asyncio.get_running_loop().time())
                yield b"".join(sse_event(frame.op, frame.data) for frame in waiting)
            elif not await self._listener.wait(self._heartbeat):
                yield heartbeat()

    def _is_late(self) -> bool:
        sent, behind = self._subscription.sent, self._subscription.behind
        return self._lag.is_too_large(sent, behind, now=asyncio.get_running_loop().time())

    async def _may_see(self) -> bool:
        if not self._listener.doubted:
            return True
        self._listener.doubted = False
        try:
            async with looking() as db:
                await sessions.access(db, self._caller, self._session_id)
        except NotFound:
            return False
        return True


async def probe() -> AsyncIterator[bytes]:
    """Three events that tell nothing, half a second apart."""
    for number in range(PROBES):
        if number:
            await asyncio.sleep(PROBE_SECONDS)
        yield heartbeat()


async def wait_for_events(
    hub: Hub, caller: Caller, session_id: SessionId, after: Cursor, *, seconds: float
) -> None:
    """Wait until there is an event behind a cursor, or something ends the wait.

    Raises Overloaded for who waits too often at once.
    """
    listener = Listener(hub, caller, session_id, door=Door.POLL)
    listener.enter()
    subscription = hub.feeds.subscribe(
        caller.workspace_id, session_id, side_of(caller), wake=listener.wake
    )
    try:
        found = await subscription.attach(after)
        if not isinstance(found, Reset) and found == after.position:
            await _wait(subscription, listener, seconds)
    finally:
        listener.leave()
        subscription.close()


async def _wait(subscription: Subscription, listener: Listener, seconds: float) -> None:
    """`wake` may be called for nothing, as when the place was taken."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while listener.ended is None and (left := end - loop.time()) > 0:
        if await subscription.pull() or not await listener.wait(left):
            return


def _logged(side: Side, item: Item) -> bytes:
    cursor = str(Cursor(KINDS[side], item.number, item.fence))
    return b"id: %s\n" % cursor.encode() + sse_event(item.row.type, item.event)


def sse_event(name: str, data: bytes) -> bytes:
    """One event; JSON has no line break outside of its strings, where it is escaped."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)


def heartbeat() -> bytes:
    """The event of a stream that was quiet; `t` is in milliseconds, as that of a socket's ping."""
    return sse_event("heartbeat", b'{"t":%d}' % round(asyncio.get_running_loop().time() * 1000))


OPENING: Final = RETRY + sse_event("state", b'{"op":"subscribed"}')
"""What every stream begins with."""
