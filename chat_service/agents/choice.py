"""Which passwords may be chosen: one rule for links, changes and the command line.

Twelve characters at least, none of those that everybody tries first, and not the e-mail. Nothing is
asked of kinds of characters, and no password grows old (NIST SP 800-63B, 3.1.1.2).
"""

from functools import cache
from typing import Annotated, Final

from pydantic import Field
from zxcvbn.frequency_lists import FREQUENCY_LISTS  # type: ignore[import-untyped]

from chat_service.errors import FieldError, ValidationFailed
from chat_service.transport import Text

SHORTEST: Final = 12
LONGEST: Final = 1024
NewPassword = Annotated[Text, Field(min_length=SHORTEST, max_length=LONGEST)]
"""A password that is being chosen, by its length; `check_choice` knows the rest."""


def check_choice(password: str, email: str = "") -> None:
    """Refuse a password that is easy to guess, for the agent of that e-mail; ValidationFailed."""
    told = _common(password.casefold())
    if email and email.casefold() in password.casefold():
        told = "must not contain the e-mail"
    if told:
        raise ValidationFailed(errors=[FieldError("/password", "too_common", told)])


def _common(folded: str) -> str:
    """What is wrong with a password that many others have, as it is or with digits around it."""
    if folded in common_passwords():
        return "is one of the passwords that are tried first"
    middle = folded.strip("".join({each for each in folded if not each.isalpha()}))
    return "is a common password with signs around it" if middle in common_passwords() else ""


@cache
def common_passwords() -> frozenset[str]:
    """Those that leaked most often, by the list of zxcvbn, in lower case."""
    return frozenset(each.casefold() for each in FREQUENCY_LISTS["passwords"])
