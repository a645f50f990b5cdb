"""`/v1/realtime`: the WebSocket as a plain ASGI callable, in front of the framework.

Owns one connection's life: hello, one reader that handles a frame at a time, and its end. Which
frames may come is for `connection` to say, what they do for `commands`; what leaves, leaves by
`writer`.
"""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from datetime import datetime
from random import uniform
from typing import Any, Final
from uuid import UUID

import structlog
from pydantic import BaseModel

from chat_service.auth import Caller
from chat_service.errors import Forbidden, InternalError, ServiceError, Unauthenticated
from chat_service.realtime import closes
from chat_service.realtime.closes import Close
from chat_service.realtime.commands import Commands
from chat_service.realtime.connection import Connection, Refused
from chat_service.realtime.desk import Desk
from chat_service.realtime.following import Followed
from chat_service.realtime.frames import Auth, Beat, ClientFrame, Error, Hello, Ping, Pong
from chat_service.realtime.peer import Door
from chat_service.realtime.rights import change_of
from chat_service.realtime.slots import Told
from chat_service.realtime.writer import Writer
from chat_service.refusals import problem_document
from chat_service.schema import SessionId

PATH: Final = "/v1/realtime"
JITTER: Final = 0.2
WAIT_MS: Final = 2_000
"""So long who sent too many frames stays away."""
HANDLE_SECONDS: Final = 10.0
"""How long one frame may take: a reader that waits does not see that its client left."""

log = structlog.get_logger(__name__)


class Socket:
    """One accepted WebSocket."""

    __slots__ = (
        "id",
        "caller",
        "followings",
        "expires_at",
        "_token",
        "_device_id",
        "_left",
        "_desk",
        "_scope",
        "_receive",
        "_connection",
        "_writer",
        "_commands",
    )
    caller: Caller
    door: Final = Door.SOCKET

    def __init__(
        self, desk: Desk, connection_id: UUID, scope: Any, receive: Any, send: Any
    ) -> None:
        self.id = connection_id
        self.followings: dict[str, Followed] = {}
        self.expires_at: datetime | None = None
        self._token: str | None = None
        self._device_id: str | None = None
        self._left = closes.GONE.code
        self._desk = desk
        self._scope = scope
        self._receive = receive
        jittered = desk.settings.heartbeat_seconds * uniform(1 - JITTER, 1 + JITTER)
        self._connection = Connection(desk.settings, time.monotonic(), jittered)
        self._writer = Writer(desk, self, self._connection, send)
        self._commands = Commands(desk, self)

    async def run(self) -> None:
        """Live from the accepted upgrade to the end of the connection, or of what can be said.

        To return is what makes the server abort a connection that its client does not read.
        """
        close = await self._greet()
        if close is None:
            self._desk.hub.enter(self)
            try:
                close = await self._admitted(self._enter())
                if close is None:
                    await self._talk()
                    return
            finally:
                self._desk.hub.leave(self)
        await self._writer.close(close)

    def summary(self) -> dict[str, Any]:
        """What is logged of it at its end: by which code, after how long, and whose it was."""
        caller = getattr(self, "caller", None)  # who has not been admitted has none
        seconds = time.monotonic() - self._connection.opened_at
        return {
            "code": int(self._writer.code or self._left),
            "seconds": round(seconds, 1),
            "kind": caller and caller.kind,
        }

    async def _talk(self) -> None:
        """Read and write until the connection is gone."""
        self._connection.welcome()
        self.say(self._desk.welcome(self.id, self.expires_at))
        writing = asyncio.create_task(self._writer.run())
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(None) as listening:
                    # Who can be told nothing any more is not listened to either.
                    writing.add_done_callback(lambda _: _end(listening))
                    await self._read()
        finally:
            for following in list(self.followings.values()):
                self.unfollow(following)
            writing.cancel()
            await asyncio.wait([writing])

    def say(self, frame: BaseModel | dict[str, Any] | bytes) -> None:
        """Have a frame sent, behind those that wait already."""
        self._writer.say(frame)

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
        self._writer.forget(following)
        if self.followings.get(following.stream) is following:
            del self.followings[following.stream]
            if following.session_id is not None:
                self._writer.drop(following.session_id)
                self._desk.hub.unlisten(self, following.session_id)

    def wake(self, following: Followed) -> None:
        """There may be something to tell of it."""
        self._writer.wake(following)

    def end(self, close: Close, *, after_ms: int = 0) -> None:
        """Say goodbye and close, at the next moment."""
        self._writer.end(close, after_ms=after_ms)

    def tell(self, frame: Told) -> None:
        """Tell something that is not in the log; only the newest of a slot is kept."""
        self._writer.tell(frame)

    def doubt(self) -> None:
        """Whether the caller may be here at all may have changed."""
        self._writer.doubt()

    def recheck(self, session_id: SessionId) -> None:
        """Who may see this session may have changed."""
        self._writer.recheck(session_id)

    async def see_again(self, session_id: SessionId) -> None:
        """Whether the caller still may see this session; else it is followed no more."""
        await self._commands.recheck(session_id)

    async def _greet(self) -> Close | None:
        """Wait for the hello; tells why the connection has to end, if it does."""
        try:
            async with asyncio.timeout(self._desk.settings.hello_seconds):
                frame = await self._next()
        except TimeoutError:
            return closes.NO_HELLO
        if frame is None:
            return closes.GONE
        if not isinstance(frame, Hello):
            return frame if isinstance(frame, Close) else closes.BAD_FRAME
        return await self._admitted(self._admit(frame))

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

    async def _admit(self, frame: Hello) -> None:
        self._device_id = frame.device_id
        admission = await self._desk.admit(frame, self._scope, device_id=self._device_id)
        (self.caller, self.expires_at), self._token = admission, frame.token
        structlog.contextvars.bind_contextvars(workspace=str(self.caller.workspace_id))

    async def _enter(self) -> None:
        """Be who the database says, now that all is heard that changes it."""
        self.caller = await self._desk.confirm(self.caller, self._token)

    async def renew(self, frame: Auth) -> None:
        """Go on by another token or ticket of the same caller; any other ends the connection."""
        try:
            admission = await self._desk.admit(frame, self._scope, device_id=self._device_id)
            changed = change_of(self.caller, admission[0])
            if changed is None:
                (self.caller, self.expires_at), self._token = admission, frame.token
                self._writer.expire()
                await self._desk.look(self.caller, self._token)
        except Unauthenticated:
            changed = closes.SIGN_IN
        if changed is not None:
            self.end(changed)
            raise Forbidden("This is not a token that goes on with this connection")

    async def confirm(self) -> None:
        """See again whether the caller may be here, and end where he may not."""
        close = await self._admitted(self._see_again())
        if close is not None:
            self.end(close)

    async def _see_again(self) -> None:
        changed = change_of(self.caller, await self._desk.confirm(self.caller, self._token))
        if changed is not None:
            self.end(changed)

    def _has_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= self._desk.clock()

    async def _next(self) -> ClientFrame | Refused | Close | None:
        """The next frame; None when the client has left."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._left = message.get("code", self._left)
            return None
        return self._connection.receive(message.get("text"), now=time.monotonic())

    async def _read(self) -> None:
        """Handle a frame at a time, until the connection is gone."""
        while (frame := await self._next()) is not None:
            if isinstance(frame, Close):
                self.end(frame, after_ms=WAIT_MS if frame is closes.TOO_MANY_FRAMES else 0)
                await self._drain()
                return
            if isinstance(frame, Refused):
                self.refuse(frame.id, frame.error)
            else:
                await self._handle(frame)
            del frame  # a client may be silent for long, and an idle socket should weigh little

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
                if not isinstance(frame, Auth):
                    await self._desk.check(self.caller, self._token)
                await self._commands.handle(frame)
        except ServiceError as error:
            if isinstance(error, Unauthenticated):
                self.end(closes.TOKEN_EXPIRED if self._has_expired() else closes.SIGNED_OUT)
            self.refuse(getattr(frame, "id", None), error)
        except TimeoutError:
            self.end(closes.BUSY)
        except Exception as error:
            log.error("frame_failed", op=frame.op, exc_info=error)
            self.refuse(getattr(frame, "id", None), InternalError())


def _end(scope: asyncio.Timeout) -> None:
    """Have time be up for what runs there, unless it has come to its end."""
    with suppress(RuntimeError):
        scope.reschedule(0)
