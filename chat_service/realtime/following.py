"""One connection's reading of one session: what it is told next, and how it begins anew."""

from typing import Any, Final, Protocol

import orjson
import structlog

from chat_service.auth import Caller
from chat_service.errors import ServiceError
from chat_service.events.feed import Item, Reset, Side, Subscription
from chat_service.events.persist import Left
from chat_service.realtime.frames import Live, ResetFrame, Snapshot, Unsubscribed
from chat_service.realtime.lag import Lag
from chat_service.realtime.snapshot import read_snapshot
from chat_service.schema import Cursor, SessionId

FAR_BEHIND: Final = 500
"""From so many events on a snapshot is kinder than a replay."""
ANEW_MESSAGES: Final = 50

log = structlog.get_logger(__name__)


class Followed(Protocol):
    """A stream that a connection follows; `session_id` is None for the agents' list."""

    @property
    def stream(self) -> str: ...

    @property
    def session_id(self) -> SessionId | None: ...

    async def next(self) -> tuple[list[bytes], bool]:
        """The frames to send now, and whether it goes on; no frames: nothing more for now."""

    @property
    def has_more(self) -> bool:
        """Whether to ask again after what was sent, though nobody says that there is news."""

    def is_late(self, now: float) -> bool:
        """Whether its reader lags too far behind; asked after frames of it were sent."""

    def close(self) -> None:
        """Follow it no more."""


class Following:
    """A session followed under the name `stream`."""

    __slots__ = (
        "caller",
        "session_id",
        "stream",
        "subscription",
        "_side",
        "_on_reset",
        "_lag",
        "_live",
        "_reason",
    )

    def __init__(
        self,
        caller: Caller,
        session_id: SessionId,
        subscription: Subscription,
        *,
        on_reset: str,
        lag: Lag,
    ) -> None:
        self.caller = caller
        self.session_id = session_id
        self.stream = f"session:{session_id}"
        self.subscription = subscription
        self._side = Side.CUSTOMER if caller.is_customer else Side.STAFF
        self._on_reset = on_reset
        self._lag = lag
        self._live = False
        self._reason: Reset | None = None
        """Why it has to begin anew, until it has."""

    async def resume(self, cursor: Cursor) -> int | Reset:
        """Go on after a cursor."""
        return await self.subscription.attach(cursor, at_most=FAR_BEHIND)

    async def begin(self, *, messages: int, once: bool = False) -> dict[str, Any]:
        """Begin with the session as it is; raises NotFound, with `once` what the source raises."""

        async def read() -> Any:
            return await read_snapshot(self.caller, self.session_id, self._side, messages=messages)

        shown: dict[str, Any] = await self.subscription.attach_snapshot(read, once=once)
        return shown

    def snapshot(self, shown: dict[str, Any]) -> bytes:
        """What `begin` read, as a frame."""
        return orjson.dumps(Snapshot.model_construct(stream=self.stream, **shown).model_dump())

    async def next(self) -> tuple[list[bytes], bool]:
        """The frames to send now, and whether it goes on; no frames: nothing more for now."""
        if self._reason is not None:
            return await self._anew(self._reason)
        batch = await self.subscription.pull()
        if isinstance(batch, Reset):
            return await self._anew(batch)
        if batch:
            return [_events(self.stream, batch)], True
        if self._live or not self.subscription.ready:
            return [], True
        self._live = True
        live = Live(stream=self.stream, seq=self.subscription.sent)
        return [live.model_dump_json().encode()], True

    @property
    def has_more(self) -> bool:
        """Whether there is a backlog, or its end is not told yet."""
        return self.subscription.has_more or not self._live

    def is_late(self, now: float) -> bool:
        """Whether its reader lags too far behind; asked after frames of it were sent."""
        subscription = self.subscription
        return self._lag.is_too_large(subscription.sent, subscription.behind, now=now)

    def close(self) -> None:
        """Follow it no more."""
        self.subscription.close()

    async def _anew(self, reason: Reset) -> tuple[list[bytes], bool]:
        if self._on_reset == "error":
            end = Unsubscribed(stream=self.stream, code=reason, resubscribe=True)
            return [end.model_dump_json().encode()], False
        self._reason = reason
        try:
            shown = await self.begin(messages=ANEW_MESSAGES, once=True)
        except Left:
            raise
        except Exception as error:
            return self._not_begun(error)
        self._reason = None
        reset = ResetFrame(stream=self.stream, reason=reason)
        return [reset.model_dump_json().encode(), self.snapshot(shown)], True

    def _not_begun(self, error: Exception) -> tuple[list[bytes], bool]:
        """The end, where the session is no more for this caller; else it is tried again soon."""
        if not isinstance(error, ServiceError) or error.retryable:
            log.warning("live_read_failed", exc_info=error)
            return [], True
        end = Unsubscribed(stream=self.stream, code=error.code, resubscribe=False)
        return [end.model_dump_json().encode()], False


def _events(stream: str, items: Any) -> bytes:
    """A frame of events that were serialised once for everybody."""
    events: list[Item] = list(items)
    return b'{"op":"events","stream":"%s","events":[%s]}' % (
        stream.encode(),
        b",".join(item.event for item in events),
    )
