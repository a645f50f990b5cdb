"""What limits of tries count, and that their names tell nobody who was counted."""

import hashlib
from typing import Final

from chat_service.agents.gate import Gate
from chat_service.agents.passwords import Passwords
from chat_service.config import Auth
from chat_service.tokens import Keys

CONFIG: Final = Auth(hash_memory_kib=64, hash_rounds=1)
ADDRESS, EMAIL = "192.0.2.7", "bob@example.org"


def names(secret_key: bytes, email: str = EMAIL) -> list[str]:
    """The names under which an installation counts somebody."""
    gate = Gate(Passwords(CONFIG), Keys(secret_key), CONFIG)
    limits = [*gate.sign_in_limits(address=ADDRESS, email=email)]
    limits += gate.recovery_limits(address=ADDRESS, email=email)
    return [each.name for each in (*limits, gate.link_limit(ADDRESS))]


def test_whom_a_limit_counts_is_told_by_the_key_alone() -> None:
    mine, others = names(b"a" * 32), names(b"b" * 32)
    assert mine == names(b"a" * 32, EMAIL.title())
    assert not set(mine) & set(others)
    for value in (ADDRESS, EMAIL):
        hashed = hashlib.sha256(value.encode()).hexdigest()
        assert not [name for name in mine if value in name or hashed[:16] in name]
    assert max(map(len, mine)) + len("told-") <= 80, "which the column holds"
