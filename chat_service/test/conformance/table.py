"""The table of promises at the end of `make conformance`, a plugin. PYTEST_DONT_REWRITE.

A line a promise: its number, its name, and the backends on which all its tests passed.
"""

from collections import defaultdict
from typing import Final

import pytest

from chat_service.test.conformance.promises import NOT_YET, PROMISES, Promise, name_of

ANYWHERE: Final = "alone"
"""What a test runs on that has no database, or brings its own."""
BACKENDS: Final = ("backend", "store")
"""The fixtures whose parameter is the kind of database."""
BAD: Final = ("failed", "error", "skipped")

Outcomes = dict[Promise, dict[str, set[str]]]
"""For each promise and backend how its tests ended."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let every report say which promise its test holds, and on what."""
    for item in items:
        for mark in item.iter_markers("conformance"):
            item.user_properties.append(("promise", mark.args[0]))
            item.user_properties.append(("backend", _backend(item)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    outcomes = _outcomes(terminalreporter)
    terminalreporter.section("promises")
    for promise in PROMISES:
        number = promise if isinstance(promise, int) else ""
        state = _state(outcomes[promise]) if promise in outcomes else _absence(promise)
        terminalreporter.write_line(f"{number:>3} {name_of(promise):<68} {state}")


def _backend(item: pytest.Item) -> str:
    call = getattr(item, "callspec", None)
    params = call.params if call is not None else {}
    return str(next((params[name] for name in BACKENDS if name in params), ANYWHERE))


def _outcomes(terminalreporter: pytest.TerminalReporter) -> Outcomes:
    found: Outcomes = defaultdict(lambda: defaultdict(set))
    for outcome in ("passed", *BAD):
        for report in terminalreporter.stats.get(outcome, []):
            told = dict(report.user_properties)
            if "promise" in told and (report.when == "call" or outcome in BAD):
                found[told["promise"]][told["backend"]].add(outcome)
    return found


def _state(backends: dict[str, set[str]]) -> str:
    return " ".join(
        backend if ended == {"passed"} else f"{backend}:{'+'.join(sorted(ended))}"
        for backend, ended in sorted(backends.items())
    )


def _absence(promise: Promise) -> str:
    return f"not yet: {NOT_YET[promise]}" if promise in NOT_YET else "not run"
