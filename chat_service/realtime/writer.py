"""The writing half of a socket: everything that leaves by it, in its order, until the end.

Owns what waits to be said and when it is said. It is one task that pulls: a slow reader costs
positions, and no queue of events.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, Protocol

import orjson
import structlog
from pydantic import BaseModel

from chat_service import metrics
from chat_service.events.persist import Left
from chat_service.realtime import closes
from chat_service.realtime.alarm import Bell, Watch
from chat_service.realtime.closes import Close
from chat_service.realtime.connection import Connection
from chat_service.realtime.desk import Desk
from chat_service.realtime.following import Followed
from chat_service.realtime.frames import Beat, Goodbye
from chat_service.realtime.slots import Slots, Told
from chat_service.schema import SessionId

GOODBYE_SECONDS: Final = 1.0
UNSAID: Final = 1_000
UNSAID_BYTES: Final = 524_288
"""So many answers, and so much of them, may wait for a client that sends and does not read."""

log = structlog.get_logger(__name__)


class Owner(Protocol):
    """The socket that a writer writes for."""

    expires_at: datetime | None
    followings: dict[str, Followed]

    def unfollow(self, following: Followed) -> None: ...
    async def confirm(self) -> None: ...
    async def see_again(self, session_id: SessionId) -> None: ...


class Writer:
    """What one socket says. All but `run` and `close` only note what is to be said."""

    __slots__ = (
        "code",
        "_desk",
        "_owner",
        "_connection",
        "_send",
        "_unsaid",
        "_unsaid_bytes",
        "_is_doubted",
        "_dirty",
        "_slots",
        "_rechecked",
        "_end",
        "_wakeup",
        "_watch",
        "_patience",
    )

    def __init__(self, desk: Desk, owner: Owner, connection: Connection, send: Any) -> None:
        self.code: int | None = None  # what it has closed the socket with
        self._desk = desk
        self._owner = owner
        self._connection = connection
        self._send = send
        self._unsaid: list[bytes] = []
        self._unsaid_bytes = 0
        self._is_doubted = False
        self._dirty: dict[Followed, None] = {}
        self._slots = Slots()
        self._rechecked: dict[SessionId, None] = {}
        self._end: tuple[Close, int] | None = None
        self._wakeup = Bell()
        self._watch = Watch(desk.settings.send_seconds, self._give_up)
        self._patience = asyncio.timeout(None)

    def say(self, frame: BaseModel | dict[str, Any] | bytes) -> None:
        """Have a frame sent, behind those that wait already."""
        if isinstance(frame, BaseModel):
            frame = frame.model_dump_json().encode()
        if not isinstance(frame, bytes):
            frame = orjson.dumps(frame)
        self._unsaid.append(frame)
        self._unsaid_bytes += len(frame)
        if len(self._unsaid) > UNSAID or self._unsaid_bytes > UNSAID_BYTES:
            self.end(closes.SLOW)
        self._wakeup.ring()

    def expire(self) -> None:
        """Have its owner's time looked at, which has changed."""
        self._wakeup.look()

    def wake(self, following: Followed) -> None:
        """There may be something to tell of it."""
        self._dirty[following] = None
        self._wakeup.ring()

    def forget(self, following: Followed) -> None:
        """Pull from it no more."""
        self._dirty.pop(following, None)

    def drop(self, session_id: SessionId) -> None:
        """Tell nothing more of a session beside its log."""
        self._slots.drop(session_id)

    def end(self, close: Close, *, after_ms: int = 0) -> None:
        """Say goodbye and close, at the next moment."""
        if self._end is None:
            self._end = close, after_ms
            self._wakeup.ring()

    def tell(self, frame: Told) -> None:
        """Tell something that is not in the log; only the newest of a slot is kept."""
        self._slots.put(frame)
        self._wakeup.ring()

    def doubt(self) -> None:
        """Have its owner look again whether it may be here."""
        self._is_doubted = True
        self._wakeup.ring()

    def recheck(self, session_id: SessionId) -> None:
        """Have its owner look again at a session."""
        self._rechecked[session_id] = None
        self._wakeup.ring()

    async def run(self) -> None:
        """Send what there is, until there is an end."""
        try:
            async with self._patience:
                await self._go_on_saying()
        except TimeoutError:  # ours, or the system's own of a peer that acknowledges nothing
            self._end = closes.SLOW, 0
        except OSError:
            self._end = closes.GONE, 0
        except Exception as error:
            log.error("writer_failed", exc_info=error)
            self._end = closes.FAILED, 0
        finally:
            self._wakeup.stop()
            self._watch.stop()
        await self.close(*(self._end or (closes.FAILED, 0)))

    async def _go_on_saying(self) -> None:
        """Each step is called only where it has something to do: a busy hub wakes thousands."""
        while self._end is None:
            if await self._wakeup.wait(self._next_due):
                self._look_at_time()
            if self._unsaid:
                await self._say_all()
            if self._is_doubted or self._rechecked:
                await self._look_again()
            if self._dirty:
                await self._pull_all()
            if self._slots:
                await self._say_slots()
        await self._say_all()

    def _give_up(self) -> None:
        """A frame does not leave: its reader is too slow."""
        self._patience.reschedule(0)

    def _look_at_time(self) -> None:
        """Whether it is time to say something, or to end."""
        due = self._connection.due(time.monotonic())
        if isinstance(due, Close):
            self.end(due)
        elif due is not None:
            self.say(Beat(op="ping", t=round(due * 1000)))
        if self._owner.expires_at is not None and self._owner.expires_at <= self._desk.clock():
            self.end(closes.TOKEN_EXPIRED)

    def _next_due(self) -> float:
        """In how many seconds time may have brought something."""
        due = self._connection.next_due(time.monotonic())
        if self._owner.expires_at is None:
            return due
        return min(due, (self._owner.expires_at - self._desk.clock()).total_seconds())

    async def _say_all(self) -> None:
        while self._unsaid:
            saying, self._unsaid, self._unsaid_bytes = self._unsaid, [], 0
            for frame in saying:
                await self._say(frame)

    async def _say_slots(self) -> None:
        """What is not in the log waits for all that is."""
        if not self._dirty and self._end is None:
            await self._say_each([each.data for each in self._slots.take(now=time.monotonic())])

    async def _pull_all(self) -> None:
        """One batch of each stream that has something, so that none waits for another's backlog."""
        for following in list(self._dirty):
            if self._end is not None or self._is_doubted:
                return
            # It was left while another one was told, or may not be told any more.
            if following not in self._dirty or self._is_to_be_seen(following):
                continue
            del self._dirty[following]
            try:
                frames, goes_on = await following.next()
            except Left:
                continue
            if not goes_on:
                self._owner.unfollow(following)
            await self._say_each(frames)
            if frames and goes_on:
                self._go_on(following)

    async def _say_each(self, frames: Sequence[bytes]) -> None:
        """What is told for as long as the caller may be told it."""
        for frame in frames:
            if self._end is None:
                await self._say(frame)

    def _is_to_be_seen(self, following: Followed) -> bool:
        """Whether the caller may have lost his right to a session."""
        return bool(self._rechecked) and following.session_id in self._rechecked

    def _go_on(self, following: Followed) -> None:
        """Look again at once where there is more, unless it was left while its frames were sent."""
        if self._owner.followings.get(following.stream) is not following:
            return
        if following.has_more:
            self.wake(following)
        if following.is_late(self._connection.said_at):
            self.end(closes.SLOW)

    async def _look_again(self) -> None:
        """Before anything is told that is not for who has lost a right meanwhile."""
        if self._is_doubted:
            self._is_doubted = False
            await self._owner.confirm()
        for session_id in list(self._rechecked):
            del self._rechecked[session_id]
            await self._owner.see_again(session_id)

    async def _say(self, frame: bytes) -> None:
        now = time.monotonic()
        self._watch.begin(now)
        await self._send({"type": "websocket.send", "text": frame.decode()})
        self._watch.end()
        self._connection.said(now)

    async def close(self, close: Close, after_ms: int = 0) -> None:
        """Say goodbye, if the client still reads, and close."""
        if close is closes.GONE:
            return
        self.code = close.code
        metrics.CLOSES.labels(close.code).inc()
        goodbye = Goodbye(
            code=close.code, reason=close.reason, reconnect=close.reconnect, after_ms=after_ms
        )
        with suppress(TimeoutError, OSError, RuntimeError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                text = goodbye.model_dump_json()
                await self._send({"type": "websocket.send", "text": text})
        with suppress(TimeoutError, OSError, RuntimeError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                end = {"type": "websocket.close", "code": close.code, "reason": close.reason}
                await self._send(end)
