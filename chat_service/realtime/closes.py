"""Why a socket is closed: 4000–4499 reconnect and resume, 4500–4999 do not."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Close:
    """A close code and its reason, of at most 123 bytes."""

    code: int
    reason: str

    @property
    def reconnect(self) -> bool:
        """Whether the client should come again by itself."""
        return self.code < 4500 and self.code not in (1000, 1008, 1009)


GONE: Final = Close(1006, "the client has left")
"""Nobody is there to be told."""
TOKEN_EXPIRED: Final = Close(4001, "the token has expired")
RIGHTS_CHANGED: Final = Close(4003, "permissions have changed")
SLOW: Final = Close(4008, "too slow: resume with the last cursor")
NO_PONG: Final = Close(4012, "no answer to a ping")
TOO_MANY_FRAMES: Final = Close(4013, "too many frames")
RESTART: Final = Close(1012, "the service restarts")
BUSY: Final = Close(1013, "try again later")
FAILED: Final = Close(1011, "something went wrong here")
TOO_LARGE: Final = Close(1009, "the frame is too large")
BAD_FRAME: Final = Close(4500, "not a frame of chat.v1")
SIGN_IN: Final = Close(4501, "the token or ticket is not valid")
NO_HELLO: Final = Close(4502, "no hello in time")
FORBIDDEN: Final = Close(4503, "not for this caller")
REPLACED: Final = Close(4504, "too many connections: the oldest was closed")
SIGNED_OUT: Final = Close(4506, "signed out")
