"""Signs of typing, told here and to the other processes, at most once and never late."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from chat_service.auth import Caller, require
from chat_service.errors import Forbidden
from chat_service.events.broker import Ephemeral
from chat_service.realtime.hub import Hub
from chat_service.realtime.slots import told
from chat_service.realtime.typing import Sign, Typists, frame_of, shown
from chat_service.schema import Actor, AuthorType, Clock, Permission, Visibility
from chat_service.sessions.marks import Place
from chat_service.transport import Json

EPHEMERAL: Final = "ephemeral"
STARTED: Final = "typing.started"


def check_right(caller: Caller, visibility: Visibility) -> None:
    """Who may not write it may not be seen to type it; raises Forbidden."""
    if not caller.is_customer:
        note = visibility is Visibility.INTERNAL
        require(caller, Permission.MESSAGES_WRITE_NOTE if note else Permission.MESSAGES_WRITE)
    elif visibility is Visibility.INTERNAL:
        raise Forbidden("Only staff write notes")


class Signs:
    """Who types in the sessions that this process hears of."""

    def __init__(self, hub: Hub, clock: Clock, seconds: float) -> None:
        """`seconds` is how long a sign lives that is not renewed."""
        self.typists = Typists(seconds)
        self._hub = hub
        self._clock = clock
        self._seconds = seconds

    def set(self, place: Place, actor: Actor, visibility: Visibility, *, is_typing: bool) -> None:
        """Somebody types or has stopped, as he says himself."""
        if is_typing:
            signs = self.typists.start(place, actor, visibility, now=_now())
        else:
            signs = self.typists.stop(place, actor)
        for sign in signs:
            self._hub.publish(self._show(sign))

    def sent(self, place: Place, actor: Actor) -> None:
        """Somebody has sent a message, which every process hears of by the log."""
        self._show_all(self.typists.stop(place, actor))

    def expire(self, *, now: float) -> None:
        """End what was not renewed; every process does so by itself."""
        self._show_all(self.typists.expire(now=now))

    def heard(self, message: Ephemeral) -> None:
        """Another process tells a sign; one that is older than it may live is not shown.

        Raises KeyError or ValueError for what this version does not understand.
        """
        frame = message.frame
        actor = Actor(AuthorType(frame["actor"]["type"]), UUID(frame["actor"]["id"]))
        age = (self._clock() - datetime.fromisoformat(frame["timestamp"])).total_seconds()
        if message.session is None or age > self._seconds:
            return
        place, now = (message.workspace, message.session), _now()
        if frame["type"] == STARTED:
            self.typists.start(place, actor, message.visibility, now=now)
        else:
            self.typists.stop(place, actor)
        self._tell(message, actor, is_start=frame["type"] == STARTED)

    def at(self, place: Place, caller: Caller) -> list[Json]:
        """Who else types in a session, as far as the caller may know."""
        return [
            {"actor": shown(sign.actor), "visibility": sign.visibility}
            for sign in self.typists.at(place, now=_now())
            if sign.actor != caller.actor
            and not (caller.is_customer and sign.visibility is Visibility.INTERNAL)
        ]

    def _show_all(self, signs: Iterable[Sign]) -> None:
        for sign in signs:
            self._show(sign)

    def _show(self, sign: Sign) -> Ephemeral:
        """Tell who listens here; what there is to tell elsewhere."""
        message = Ephemeral(
            workspace=sign.place[0],
            session=sign.place[1],
            visibility=sign.visibility,
            frame=frame_of(sign, at=self._clock()),
        )
        self._tell(message, sign.actor, is_start=sign.kind == STARTED)
        return message

    def _tell(self, message: Ephemeral, actor: Actor, *, is_start: bool) -> None:
        until = _now() + self._seconds if is_start else None
        frame = told(
            message.frame, message.session, kind="typing", actor=str(actor.id), until=until
        )
        self._hub.show(frame, message)


def _now() -> float:
    return asyncio.get_running_loop().time()
