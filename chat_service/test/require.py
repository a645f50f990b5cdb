"""What a test needs and cannot find: a skip with the reason, or a failure where it is required.

`CHAT_REQUIRE` names, by commas, what must be there (`postgres,nats,chromium,node,nginx,haproxy`): where a
run is meant to test it, a skip would look green.
"""

import os
from collections.abc import Mapping
from typing import NoReturn

import pytest


def skip_or_fail(what: str, reason: str, *, environ: Mapping[str, str] = os.environ) -> NoReturn:
    """End the test or fixture that needs `what`, because of `reason`."""
    required = [name.strip() for name in environ.get("CHAT_REQUIRE", "").split(",")]
    if what in required:
        pytest.fail(f"CHAT_REQUIRE names {what}: {reason}", pytrace=False)
    pytest.skip(f"needs {what}: {reason}")
