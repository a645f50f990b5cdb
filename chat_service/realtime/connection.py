"""One connection's protocol: which frames may come when, and when it is over. Pure: no I/O, no clock.

Times are seconds of any clock that never goes back, handed in by who asks.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

import orjson
from pydantic import ValidationError

from chat_service.config import Realtime
from chat_service.errors import ServiceError
from chat_service.realtime import closes
from chat_service.realtime.closes import Close
from chat_service.realtime.frames import CLIENT_FRAME, Auth, ClientFrame, Hello
from chat_service.refusals import refused_body

FIRST_FRAME_BYTES: Final = 4_096


class Phase(Enum):
    """Where a connection stands."""

    GREETING = auto()
    TALKING = auto()


@dataclass(frozen=True, slots=True)
class Refused:
    """A frame that is answered with a problem; the connection goes on."""

    id: int | None
    error: ServiceError


@dataclass(slots=True)
class Connection:
    """What has been said on a connection so far, as far as it matters for what may come next."""

    settings: Realtime
    opened_at: float
    heartbeat: float
    """How long either side may be silent, in seconds."""
    phase: Phase = Phase.GREETING
    heard_at: float = field(init=False)
    said_at: float = field(init=False)
    pinged_at: float | None = None
    _tokens: float = field(init=False)
    _refilled_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.heard_at = self.said_at = self._refilled_at = self.opened_at
        self._tokens = float(self.settings.frames_burst)

    def receive(self, text: str | None, *, now: float) -> ClientFrame | Refused | Close:
        """A frame that arrived; `text` is None for a binary one."""
        self.heard_at, self.pinged_at = now, None
        if text is None:
            return closes.BAD_FRAME
        if not self._may_send(now):
            return closes.TOO_MANY_FRAMES
        size = len(text.encode("utf-8", "surrogatepass"))
        if self.phase is Phase.GREETING:
            return self._greet(text, size)
        if size > self.settings.frame_bytes:
            return closes.TOO_LARGE
        return self._parse(text)

    def welcome(self) -> None:
        """The hello was good."""
        self.phase = Phase.TALKING

    def said(self, now: float) -> None:
        """Something was sent: the other side knows that we live."""
        self.said_at = now

    def due(self, now: float) -> Close | float | None:
        """What time has brought: an end, or a ping to send as the time of it; None for nothing."""
        if self.phase is Phase.GREETING:
            late = now - self.opened_at >= self.settings.hello_seconds
            return closes.NO_HELLO if late else None
        if self.pinged_at is not None:
            silent = now - self.pinged_at >= self.settings.pong_seconds
            return closes.NO_PONG if silent else None
        if now - min(self.heard_at, self.said_at) < self.heartbeat:
            return None
        self.pinged_at = now
        return now

    def next_due(self, now: float) -> float:
        """In how many seconds to ask again what time has brought."""
        if self.phase is Phase.GREETING:
            return max(0.0, self.opened_at + self.settings.hello_seconds - now)
        if self.pinged_at is not None:
            return max(0.0, self.pinged_at + self.settings.pong_seconds - now)
        return max(0.0, min(self.heard_at, self.said_at) + self.heartbeat - now)

    def _greet(self, text: str, size: int) -> ClientFrame | Close:
        if size > FIRST_FRAME_BYTES:
            return closes.BAD_FRAME
        frame = self._parse(text)
        good = isinstance(frame, Hello) and (frame.token is None) != (frame.ticket is None)
        return frame if good and isinstance(frame, Hello) else closes.BAD_FRAME

    def _parse(self, text: str) -> ClientFrame | Refused | Close:
        try:
            frame = CLIENT_FRAME.validate_json(text)
        except ValidationError as error:
            return _refuse(text, error)
        except ValueError:  # half a character: no UTF-8
            return closes.BAD_FRAME
        if isinstance(frame, Hello) and self.phase is Phase.TALKING:
            return closes.BAD_FRAME
        if isinstance(frame, Auth) and (frame.token is None) == (frame.ticket is None):
            return closes.BAD_FRAME
        return frame

    def _may_send(self, now: float) -> bool:
        """A bucket of frames that fills with time."""
        gained = (now - self._refilled_at) * self.settings.frames_per_second
        self._tokens = min(float(self.settings.frames_burst), self._tokens + gained) - 1
        self._refilled_at = now
        return self._tokens >= 0


def _refuse(text: str, error: ValidationError) -> Refused | Close:
    """What is no frame at all ends the connection; wrong values inside of one are refused."""
    place = error.errors(include_url=False, include_input=False)[0]["loc"]
    return Refused(_id_of(text), refused_body(error, tagged=True)) if place else closes.BAD_FRAME


def _id_of(text: str) -> int | None:
    """The number of a frame that is wrong elsewhere, where it has one that can be read."""
    try:
        frame = orjson.loads(text)
    except ValueError:
        return None
    found = frame.get("id")
    return found if isinstance(found, int) and not isinstance(found, bool) else None
