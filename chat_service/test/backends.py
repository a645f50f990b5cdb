"""What the tests run on: a few databases and small counts, or everything there is.

`CHAT_CONFORMANCE=every`, which `make conformance` sets, asks for everything.
"""

import os
from typing import Final

import pytest

LONG: Final = os.environ.get("CHAT_CONFORMANCE") == "every"
DATABASES: Final = ("sqlite", "postgres")
EVERY: Final = (*DATABASES, "nats")
"""`nats` is PostgreSQL whose processes tell each other by NATS; at `postgres` it is by NOTIFY."""
BACKENDS: Final = EVERY if LONG else DATABASES

touches_the_broker: Final = pytest.mark.parametrize("backend", EVERY, indirect=True)


def limited_to(*backends: str) -> pytest.MarkDecorator:
    """A test whose price allows only some backends in a run that is not the long one."""
    return pytest.mark.parametrize("backend", EVERY if LONG else backends, indirect=True)


def count(few: int, *, many: int) -> int:
    """How often something is done: `many` times in the long run."""
    return many if LONG else few
