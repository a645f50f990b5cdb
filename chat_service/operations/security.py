"""The text of `/.well-known/security.txt`: where to report a weakness. Pure."""

from datetime import date, timedelta
from typing import Final

PATH: Final = "/.well-known/security.txt"
VALID: Final = timedelta(days=365)


def security_text(contact: str, public_url: str, *, today: date) -> str | None:
    """The file by RFC 9116, good for a year from the start of this day (UTC); None without contact.

    Where it is found is told only by what is configured, since anybody may send any `Host`.
    """
    if not contact:
        return None
    expires = f"{(today + VALID).isoformat()}T00:00:00Z"
    lines = [f"Contact: {contact}", f"Expires: {expires}"]
    if public_url:
        lines.append(f"Canonical: {public_url}{PATH}")
    return "".join(f"{line}\r\n" for line in lines)
