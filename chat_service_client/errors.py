"""What a caller may be told: a problem of the service (RFC 9457), or that a log was set back."""

from typing import Any


class Problem(Exception):
    """The service refused. `code` is the stable part; `document` is the whole problem."""

    def __init__(self, status: int, document: dict[str, Any], *, retry_after: float | None) -> None:
        super().__init__(f"{status} {document.get('code')}: {document.get('detail')}")
        self.status = status
        self.document = document
        self.code: str = str(document.get("code", ""))
        self.retryable = bool(document.get("retryable", status >= 500))
        self.retry_after = retry_after
        """Seconds to wait before a repeat, where the service said so."""


class ResetByServer(Exception):
    """The log is not what the cursor was made for: read the session anew. `reason` is its code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
