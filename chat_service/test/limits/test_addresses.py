"""Which addresses count as one."""

import pytest

from chat_service.limits.addresses import network_of


@pytest.mark.parametrize(
    ("some", "other"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff"),
        ("2001:DB8:0:1::1", "2001:db8:0000:0001::2"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
@pytest.mark.asvs("2.4.1")
def test_these_are_one_household(some: str, other: str) -> None:
    assert network_of(some) == network_of(other)


@pytest.mark.parametrize(
    ("some", "other"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:2::1"),
        ("192.0.2.1", "192.0.2.2"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("", "192.0.2.1"),
    ],
)
def test_these_are_not(some: str, other: str) -> None:
    assert network_of(some) != network_of(other)
