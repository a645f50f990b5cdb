"""The table of `make asvs`, a plugin: which tests show which requirement to hold. PYTEST_DONT_REWRITE.

Made by collecting, from the markers alone; whether they pass is told by `make test`.
"""

from collections.abc import Iterable
from typing import Final

import pytest

from chat_service.test.security.standards import API_TOP10, ASVS

STANDARDS: Final = {"asvs": ASVS, "api_top10": API_TOP10}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Print the table."""
    for marker, words in STANDARDS.items():
        shown = tests_by_id(session.items, marker)
        print(f"\n{marker}: {len(shown)} requirements")
        for number in words:
            print(f"{number:<7} {words[number]}")
            for test in sorted(shown.get(number, ())):
                print(f"        {test}")


def tests_by_id(items: Iterable[pytest.Item], marker: str) -> dict[str, set[str]]:
    """The tests that carry each id, whatever their parameters."""
    found: dict[str, set[str]] = {}
    for item in items:
        for mark in item.iter_markers(marker):
            for number in mark.args:
                found.setdefault(number, set()).add(item.nodeid.partition("[")[0])
    return found
