"""`/v1/realtime`: the WebSocket as a plain ASGI callable, in front of the framework.

Owns one connection's life: the upgrade, hello, one reader that handles a frame at a time, one writer
that everything leaves by. Which frames may come is for `connection` to say, what they do for
`commands`.
"""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from datetime import datetime
from random import uniform
from typing import Any, Final

import orjson
import structlog
from pydantic import BaseModel

from chat_service.auth import Caller
from chat_service.errors import InternalError, ServiceError, Unauthenticated
from chat_service.realtime import closes
from chat_service.realtime.closes import Close
from chat_service.realtime.commands import Commands
from chat_service.realtime.connection import Connection, Refused
from chat_service.realtime.desk import Desk
from chat_service.realtime.following import Followed
from chat_service.realtime.frames import Beat, ClientFrame, Error, Goodbye, Hello, Ping, Pong
from chat_service.realtime.slots import Slots, Told
from chat_service.refusals import problem_document
from chat_service.schema import SessionId, new_id

PATH: Final = "/v1/realtime"
JITTER: Final = 0.2
HANDLE_SECONDS: Final = 10.0
"""How long one frame may take: a reader that waits does not see that its client left."""
GOODBYE_SECONDS: Final = 1.0
UNSAID: Final = 1_000
"""So many answers may wait for a client that sends and does not read."""

log = structlog.get_logger(__name__)


class Socket:
    """One accepted WebSocket."""

    caller: Caller

    def __init__(self, desk: Desk, scope: Any, receive: Any, send: Any) -> None:
        self.id = new_id()
        self.followings: dict[str, Followed] = {}
        self.expires_at: datetime | None = None
        self._token: str | None = None
        self._desk = desk
        self._scope = scope
        self._receive = receive
        self._send = send
        jittered = desk.settings.heartbeat_seconds * uniform(1 - JITTER, 1 + JITTER)
        self._connection = Connection(desk.settings, time.monotonic(), jittered)
        self._unsaid: deque[bytes] = deque()
        self._dirty: dict[Followed, None] = {}
        self._slots = Slots()
        self._rechecked: set[SessionId] = set()
        self._end: tuple[Close, int] | None = None
        self._wakeup = asyncio.Event()
        self._commands = Commands(desk, self)

    async def run(self) -> None:
        """Live from the accepted upgrade to the end of the connection."""
        close = await self._greet()
        if close is None:
            self._desk.hub.enter(self)
            try:
                close = await self._admitted(self._desk.confirm(self.caller, self._token))
                if close is None:
                    await self._talk()
                    return
            finally:
                self._desk.hub.leave(self)
        await self._close(close)

    async def _talk(self) -> None:
        """Read and write until the connection is gone."""
        self._connection.welcome()
        self.say(self._desk.welcome(self.id, self.expires_at))
        writer = asyncio.create_task(self._write())
        try:
            await self._read()
        finally:
            for following in list(self.followings.values()):
                self.unfollow(following)
            self._commands.end()
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer

    def say(self, frame: BaseModel | dict[str, Any] | bytes) -> None:
        """Have a frame sent, behind those that wait already."""
        if isinstance(frame, BaseModel):
            frame = frame.model_dump_json().encode()
        self._unsaid.append(frame if isinstance(frame, bytes) else orjson.dumps(frame))
        if len(self._unsaid) > UNSAID:
            self.end(closes.SLOW)
        self._wakeup.set()

    def refuse(self, frame_id: int | None, error: ServiceError) -> None:
        """Answer with a problem."""
        document = problem_document(error, instance=PATH, request_id=str(self.id))
        self.say(Error(id=frame_id, problem=document))

    def follow(self, following: Followed) -> None:
        """Tell what happens there from now on."""
        self.followings[following.stream] = following
        if following.session_id is not None:
            self._desk.hub.listen(self, following.session_id)
        self.wake(following)

    def unfollow(self, following: Followed) -> None:
        """Tell no more of it."""
        following.close()
        self._dirty.pop(following, None)
        if self.followings.get(following.stream) is following:
            del self.followings[following.stream]
            if following.session_id is not None:
                self._slots.drop(following.session_id)
                self._desk.hub.unlisten(self, following.session_id)

    def wake(self, following: Followed) -> None:
        """There may be something to tell of it."""
        self._dirty[following] = None
        self._wakeup.set()

    def end(self, close: Close, *, after_ms: int = 0) -> None:
        """Say goodbye and close, at the next moment."""
        if self._end is None:
            self._end = close, after_ms
            self._wakeup.set()

    def tell(self, frame: Told) -> None:
        """Tell something that is not in the log; only the newest of a slot is kept."""
        self._slots.put(frame)
        self._wakeup.set()

    def recheck(self, session_id: SessionId) -> None:
        """Who may see this session may have changed."""
        self._rechecked.add(session_id)
        self._wakeup.set()

    async def _greet(self) -> Close | None:
        """Wait for the hello; tells why the connection has to end, if it does."""
        try:
            async with asyncio.timeout(self._desk.settings.hello_seconds):
                frame = await self._next()
        except TimeoutError:
            return closes.NO_HELLO
        if not isinstance(frame, Hello):
            return frame if isinstance(frame, Close) else closes.BAD_FRAME
        return await self._admitted(self.admit(frame))

    async def _admitted(self, check: Coroutine[Any, Any, None]) -> Close | None:
        """Whether a check lets the caller in; a service that cannot tell is no fault of his."""
        try:
            async with asyncio.timeout(HANDLE_SECONDS):
                await check
        except TimeoutError:
            return closes.BUSY
        except Unauthenticated:
            return closes.SIGN_IN
        except ServiceError as error:
            return closes.BUSY if error.retryable else closes.FORBIDDEN
        return None

    async def admit(self, frame: Any) -> None:
        """Take a token or ticket as who calls; raises Unauthenticated or Forbidden."""
        self.caller, self.expires_at = await self._desk.admit(frame, self._scope)
        self._token = frame.token

    async def _next(self) -> ClientFrame | Refused | Close | None:
        """The next frame; None when the client has left."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            return None
        return self._connection.receive(message.get("text"), now=time.monotonic())

    async def _read(self) -> None:
        """Handle a frame at a time, until the connection is gone."""
        while (frame := await self._next()) is not None:
            if isinstance(frame, Close):
                self.end(frame)
                await self._drain()
                return
            if isinstance(frame, Refused):
                self.refuse(frame.id, frame.error)
            else:
                await self._handle(frame)

    async def _drain(self) -> None:
        """Whatever still comes is of no interest; the server ends a connection that stays."""
        while (await self._receive())["type"] != "websocket.disconnect":
            pass

    async def _handle(self, frame: ClientFrame) -> None:
        if isinstance(frame, Ping):
            self.say(Beat(op="pong", t=frame.t))
            return
        if isinstance(frame, Pong):
            return
        try:
            async with asyncio.timeout(HANDLE_SECONDS):
                await self._desk.check(self.caller, self._token)
                await self._commands.handle(frame)
        except ServiceError as error:
            if isinstance(error, Unauthenticated):
                self.end(closes.TOKEN_EXPIRED)
            self.refuse(getattr(frame, "id", None), error)
        except TimeoutError:
            self.end(closes.BUSY)
        except Exception as error:
            log.error("frame_failed", op=frame.op, exc_info=error)
            self.refuse(getattr(frame, "id", None), InternalError())

    async def _write(self) -> None:
        """Send what there is, until there is an end."""
        try:
            while self._end is None:
                await self._wait()
                await self._say_all()
                await self._pull_all()
                await self._recheck_all()
                await self._say_slots()
            await self._say_all()
        except TimeoutError:
            self._end = closes.SLOW, 0
        except Exception as error:
            log.error("writer_failed", exc_info=error)
            self._end = closes.FAILED, 0
        await self._close(*(self._end or (closes.FAILED, 0)))

    async def _wait(self) -> None:
        """Until there is something to send, or time has brought something."""
        if not self._wakeup.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._connection.next_due(time.monotonic())):
                    await self._wakeup.wait()
        self._wakeup.clear()
        due = self._connection.due(time.monotonic())
        if isinstance(due, Close):
            self.end(due)
        elif due is not None:
            self.say(Beat(op="ping", t=round(due * 1000)))
        if self.expires_at is not None and self.expires_at <= self._desk.clock():
            self.end(closes.TOKEN_EXPIRED)

    async def _say_all(self) -> None:
        while self._unsaid:
            await self._say(self._unsaid.popleft())

    async def _say_slots(self) -> None:
        """What is not in the log waits for all that is."""
        if self._slots and not self._dirty:
            for frame in self._slots.take(now=time.monotonic()):
                await self._say(frame.data)

    async def _pull_all(self) -> None:
        """One batch of each stream that has something, so that none waits for another's backlog."""
        for following in list(self._dirty):
            del self._dirty[following]
            frames, goes_on = await following.next()
            if not goes_on:
                self.unfollow(following)
            for frame in frames:
                await self._say(frame)
            if frames and goes_on:
                self.wake(following)

    async def _recheck_all(self) -> None:
        while self._rechecked:
            await self._commands.recheck(self._rechecked.pop())

    async def _say(self, frame: bytes) -> None:
        async with asyncio.timeout(self._desk.settings.send_seconds):
            await self._send({"type": "websocket.send", "text": frame.decode()})
        self._connection.said(time.monotonic())

    async def _close(self, close: Close, after_ms: int = 0) -> None:
        """Say goodbye, if the client still reads, and close."""
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
