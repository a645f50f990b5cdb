"""One connection's reading of the agents' list: how it begins, what it is told next, how it ends."""

from collections.abc import Callable
from typing import Final

from chat_service.auth import Caller
from chat_service.events.feed import Reset
from chat_service.realtime.frames import SESSIONS, ResetFrame, Unsubscribed
from chat_service.realtime.lists import Lists
from chat_service.realtime.session_list import ListReader
from chat_service.schema import Cursor, View
from chat_service.sessions.reach import VIEWS, reach_of


class ListFollowing:
    """A view of the list, followed under the name `sessions`."""

    stream: Final = SESSIONS
    session_id: Final = None

    def __init__(
        self,
        lists: Lists,
        caller: Caller,
        view: View,
        *,
        window: int,
        on_reset: str,
        wake: Callable[[], None],
    ) -> None:
        counted = {each: reach_of(caller, each) for each in VIEWS}
        self._lists = lists
        self._caller = caller
        self._on_reset = on_reset
        self._size = window
        self._reader = ListReader(counted[view], counted, size=window, wake=wake)
        self._list = lists.enter(self._reader)

    async def begin(self, after: Cursor | None) -> tuple[int, list[bytes], bool]:
        """Begin behind a cursor, without one with the whole window; to be closed if it fails.

        Gives how far the log has come, the first frames, and whether it goes on.
        """
        while True:
            mark = await self._list.position()
            reader = self._reader
            start = await self._lists.source.start(
                self._caller, reader.reach, after, size=self._size, counted=reader.counted.values()
            )
            if isinstance(start, Reset):
                return mark.position, [self._reset(start)], False
            if self._reader.lost is not None:
                return mark.position, [self._reset(self._reader.lost)], False
            if after is None or after.position <= mark.position:
                break
            await self._list.wait_for(after.position)
        told = mark.position if after is None else after.position
        frames = self._reader.begin(start, mark, after=told, now=self._lists.now())
        return mark.position, frames, True

    async def next(self) -> tuple[list[bytes], bool]:
        """The frames to send now, and whether it goes on; no frames: nothing more for now."""
        if self._reader.lost is not None:
            return [self._reset(self._reader.lost)], False
        frames = self._reader.frames(self._lists.now())
        if self._reader.has_news:
            self._list.recall(self._reader)
        return frames, True

    @property
    def has_more(self) -> bool:
        """It is looked at again for what has to wait."""
        return True

    def is_late(self, now: float) -> bool:
        """Never: what changes while frames wait is told together, so that it costs nothing."""
        return False

    def close(self) -> None:
        """Follow it no more."""
        self._lists.leave(self._reader)

    def _reset(self, reason: Reset) -> bytes:
        """The last frame: the client lists again, and subscribes behind that list's cursor."""
        if self._on_reset == "error":
            end = Unsubscribed(stream=self.stream, code=reason, resubscribe=True)
            return end.model_dump_json().encode()
        return ResetFrame(stream=self.stream, reason=reason).model_dump_json().encode()
