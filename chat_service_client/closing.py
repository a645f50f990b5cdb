"""How a connection ends, and what that means for whoever came by it."""

from typing import Final

from chat_service_client.errors import Problem

NORMAL: Final = 1000
"""Nothing is wrong, and nothing more comes."""
TOKEN_EXPIRED: Final = 4001
SIGN_IN_AGAIN: Final = 4501


class NotHere(Exception):
    """This transport does not come through."""


class Ended(Exception):
    """The service closed the socket, and wants nobody back before `after` seconds."""

    def __init__(self, code: int, reason: str, after: float = 0.0) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason
        self.after = after

    @property
    def is_normal(self) -> bool:
        """Whether all is told that there was to tell."""
        return self.code == NORMAL

    def problem(self) -> Problem:
        """The same as a refusal, which may be repeated where one may come again by himself."""
        wants_token = self.code in (TOKEN_EXPIRED, SIGN_IN_AGAIN)
        final = wants_token or self.code in (1008, 1009) or 4500 <= self.code < 5000
        document = {"code": str(self.code), "detail": self.reason, "retryable": not final}
        return Problem(401 if wants_token else 403, document, retry_after=self.after)
