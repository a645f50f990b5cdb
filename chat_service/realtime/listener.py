"""A reader over HTTP as the hub sees it: an SSE stream, or a long-poll that waits."""

import asyncio

from chat_service.auth import Caller
from chat_service.realtime.closes import Close
from chat_service.realtime.hub import Hub
from chat_service.realtime.peer import Door
from chat_service.realtime.slots import Slots, Told
from chat_service.schema import SessionId


class Listener:
    """One caller who listens to one session, or with None to what concerns him alone."""

    def __init__(
        self, hub: Hub, caller: Caller, session_id: SessionId | None, *, door: Door
    ) -> None:
        self.caller = caller
        self.door = door
        self.ended: Close | None = None
        self.doubted = False
        """Whether the right to the session must be looked at again."""
        self.slots = Slots()
        self.inside = False
        """Whether it has entered and not left."""
        self._hub = hub
        self._session_id = session_id
        self._wakeup = asyncio.Event()

    def enter(self) -> None:
        """Be told from now on; `leave` has to follow. Raises Overloaded."""
        self._hub.enter(self)
        self.inside = True
        if self._session_id is not None:
            self._hub.listen(self, self._session_id)

    def leave(self) -> None:
        """Be told no more; harmless where it has not entered, or left before."""
        if not self.inside:
            return
        self.inside = False
        if self._session_id is not None:
            self._hub.unlisten(self, self._session_id)
        self._hub.leave(self)

    async def wait(self, seconds: float) -> bool:
        """Wait for something to happen, at most that long; whether it did."""
        try:
            async with asyncio.timeout(seconds):
                await self._wakeup.wait()
        except TimeoutError:
            return False
        self._wakeup.clear()
        return True

    def wake(self) -> None:
        """There may be something to tell."""
        self._wakeup.set()

    def end(self, close: Close, *, after_ms: int = 0) -> None:
        """End the stream at the next moment."""
        self.ended = close
        self.wake()

    def tell(self, frame: Told) -> None:
        """Tell something that is not in the log; only the newest of a slot is kept."""
        if frame.session_id is not None:
            self.slots.put(frame)
            self.wake()

    def doubt(self) -> None:
        """Before the next event it is asked anyway who calls."""
        self.wake()

    def recheck(self, session_id: SessionId) -> None:
        """Who may see this session may have changed."""
        self.doubted = True
        self.wake()
