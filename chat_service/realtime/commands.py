"""What the frames of a client do. Each is checked as a request of its own would be."""

import asyncio
from typing import Any, Final, Protocol
from uuid import UUID

import structlog
from pydantic import BaseModel

from chat_service.auth import Caller
from chat_service.errors import (
    ClientMessageIdMissing,
    Conflict,
    DatabaseUnavailable,
    Forbidden,
    InternalError,
    NotFound,
    ServiceError,
)
from chat_service.events.feed import Reset, Side
from chat_service.events.persist import RETRY_SECONDS
from chat_service.events.transaction import looking
from chat_service.limits.policies import Policy, claim_of
from chat_service.messages import services as messages
from chat_service.messages.drafts import Draft, draft_of
from chat_service.messages.transport import message_cursor, message_view
from chat_service.realtime.desk import Desk
from chat_service.realtime.early import joining
from chat_service.realtime.following import ANEW_MESSAGES, Followed, Following
from chat_service.realtime.frames import (
    SESSION,
    SESSIONS,
    Ack,
    Auth,
    ClientFrame,
    ResetFrame,
    Send,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
)
from chat_service.realtime.lag import Lag
from chat_service.realtime.list_following import ListFollowing
from chat_service.realtime.peer import Peer
from chat_service.realtime.state_frames import Read, Typing
from chat_service.schema import SessionId
from chat_service.sessions import queries as sessions
from chat_service.transport import Json
from chat_service.views.rendering import session_stream, workspace_stream

IN_FLIGHT: Final = 64
"""So many sends of one connection may wait for their commit; then it is read no further."""

LIMITS: Final = {"send": Policy.SEND, "read": Policy.MARK, "typing": Policy.TYPING}
"""Frames that are counted with the requests that do the same."""

log = structlog.get_logger(__name__)


class Talker(Peer, Protocol):
    """The connection whose frames these are."""

    caller: Caller
    followings: dict[str, Followed]

    def say(self, frame: BaseModel | dict[str, Any] | bytes) -> None: ...
    def refuse(self, frame_id: int | None, error: ServiceError) -> None: ...
    def follow(self, following: Followed) -> None: ...
    def unfollow(self, following: Followed) -> None: ...
    def wake(self, following: Followed) -> None: ...
    async def renew(self, frame: Auth) -> None: ...


class Commands:
    """The commands of one connection; sends go on behind its back until they are committed.

    Those under way when the connection is gone are finished all the same, and nobody is told.
    """

    __slots__ = ("_desk", "_talker", "_sends")

    def __init__(self, desk: Desk, talker: Talker) -> None:
        self._desk = desk
        self._talker = talker
        self._sends: dict[asyncio.Task[None], None] = {}

    async def handle(self, frame: ClientFrame) -> None:
        """Do what a frame asks; raises a ServiceError, which is its answer."""
        if isinstance(frame, Send | Read | Typing):
            session_id = SessionId(frame.session_id)
            self._desk.rates.take(claim_of(self._talker.caller, LIMITS[frame.op], session_id))
        if isinstance(frame, Send):
            await self._send(frame)
        elif isinstance(frame, Subscribe):
            await self._subscribe(frame)
        elif isinstance(frame, Unsubscribe):
            self._unsubscribe(frame)
        elif isinstance(frame, Read):
            await self._desk.states.read(self._talker.caller, SessionId(frame.session_id), frame)
        elif isinstance(frame, Typing):
            await self._type(frame)
        elif isinstance(frame, Auth):
            await self._talker.renew(frame)
            self._talker.say(Ack(id=frame.id, result={}))

    async def recheck(self, session_id: SessionId) -> None:
        """End the stream of a session that the caller may no longer see."""
        following = self._talker.followings.get(f"{SESSION}{session_id}")
        if following is None:
            return
        try:
            async with looking() as db:
                await sessions.access(db, self._talker.caller, session_id)
        except DatabaseUnavailable:
            await asyncio.sleep(RETRY_SECONDS)
            self._talker.recheck(session_id)
        except NotFound:
            self._talker.unfollow(following)
            self._talker.say(
                Unsubscribed(stream=following.stream, code="forbidden", resubscribe=False)
            )

    async def _send(self, frame: Send) -> None:
        """Enter the lane in the order of the frames; the answer follows its commit."""
        if frame.client_message_id is None:
            raise ClientMessageIdMissing()
        draft = draft_of(
            self._talker.caller,
            SessionId(frame.session_id),
            client_message_id=frame.client_message_id,
            content=frame.content.model_dump(),
            visibility=frame.visibility,
            reply_to_id=frame.reply_to_id,
            metadata=frame.metadata,
            public_metadata=frame.public_metadata,
            limits=self._desk.limits,
        )
        while len(self._sends) >= IN_FLIGHT:
            await asyncio.wait(self._sends, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(self._answer(frame.id, draft))
        self._sends[task] = None
        task.add_done_callback(self._sends.pop)

    async def _answer(self, frame_id: int, draft: Draft) -> None:
        caller = self._talker.caller
        try:
            sent = await messages.send(self._desk.lanes, draft)
        except ServiceError as error:
            self._talker.refuse(frame_id, error)
        except Exception as error:
            log.error("frame_failed", op="send", exc_info=error)
            self._talker.refuse(frame_id, InternalError())
        else:
            result = {
                "message": message_view(caller.is_customer, sent.row, sent.author_name),
                "cursor": message_cursor(caller.is_customer, sent.row),
            }
            self._talker.say(Ack.model_construct(id=frame_id, result=result))

    async def _subscribe(self, frame: Subscribe) -> None:
        if frame.stream in self._talker.followings:
            raise Conflict("This stream is followed already")
        if len(self._talker.followings) >= self._desk.settings.subscriptions:
            raise Conflict("Too many streams are followed")
        if frame.stream == SESSIONS:
            await self._follow_list(frame)
            return
        session_id = SessionId(UUID(frame.stream.removeprefix(SESSION)))
        caller = self._talker.caller
        with joining(self._desk.hub, self._talker, session_id):
            state = await self._desk.states.of(caller, session_id)
            await self._attach(frame, session_id, state)

    async def _follow_list(self, frame: Subscribe) -> None:
        talker, caller = self._talker, self._talker.caller
        if caller.is_customer:
            raise Forbidden("Only staff follow the list of sessions")
        stream = workspace_stream(caller.workspace_id)
        after = None if frame.after is None else stream.parse(frame.after)
        following: ListFollowing
        following = ListFollowing(
            self._desk.hub.lists,
            caller,
            frame.view,
            window=frame.window,
            on_reset=frame.on_reset,
            wake=lambda: talker.wake(following),
        )
        try:
            head, frames, goes_on = await following.begin(after)
        except BaseException:
            following.close()
            raise
        self._subscribed(frame, head, None, resumed=goes_on and after is not None)
        for each in frames:
            talker.say(each)
        if goes_on:
            talker.follow(following)
        else:
            following.close()

    async def _attach(self, frame: Subscribe, session_id: SessionId, state: Json) -> None:
        talker, caller = self._talker, self._talker.caller
        side = Side.CUSTOMER if caller.is_customer else Side.STAFF
        following: Following
        subscription = self._desk.hub.feeds.subscribe(
            caller.workspace_id, session_id, side, wake=lambda: talker.wake(following)
        )
        lag = Lag(self._desk.settings.lag_events)
        following = Following(caller, session_id, subscription, on_reset=frame.on_reset, lag=lag)
        begun = False
        try:
            begun = await self._begin(frame, following, state)
        finally:
            if not begun:
                subscription.close()
        if begun:
            talker.follow(following)

    async def _begin(self, frame: Subscribe, following: Following, state: Json) -> bool:
        """Tell that the stream is followed, and what it begins with; whether it is."""
        reason: Reset | None = None
        if frame.after is not None:
            cursor = session_stream(self._talker.caller, following.session_id).parse(frame.after)
            found = await following.resume(cursor)
            if not isinstance(found, Reset):
                self._subscribed(frame, found, state, resumed=True)
                return True
            if frame.on_reset == "error":
                end = Unsubscribed(stream=frame.stream, code=found, resubscribe=True)
                self._talker.say(end)
                return False
            reason = found
        wanted = frame.snapshot.messages if frame.snapshot else ANEW_MESSAGES
        shown = await following.begin(messages=wanted)
        self._subscribed(frame, shown["as_of_seq"], state, resumed=False)
        if reason is not None:
            self._talker.say(ResetFrame(stream=frame.stream, reason=reason))
        if reason is not None or frame.snapshot is not None:
            self._talker.say(following.snapshot(shown))
        return True

    def _subscribed(
        self, frame: Subscribe, head: int, state: Json | None, *, resumed: bool
    ) -> None:
        begun = {"id": frame.id, "stream": frame.stream, "head_seq": head, "resumed": resumed}
        self._talker.say(Subscribed.model_validate(begun | {"state": state}))

    async def _type(self, frame: Typing) -> None:
        """Who follows the session may see it, as long as he follows."""
        await self._desk.states.type(
            self._talker.caller,
            SessionId(frame.session_id),
            frame.visibility,
            is_typing=frame.is_typing,
            follows=f"{SESSION}{frame.session_id}" in self._talker.followings,
        )

    def _unsubscribe(self, frame: Unsubscribe) -> None:
        following = self._talker.followings.get(frame.stream)
        if following is not None:
            self._talker.unfollow(following)
        self._talker.say(Ack(id=frame.id, result={}))
