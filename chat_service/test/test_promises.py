"""No promise of the protocol is forgotten: a test holds it, or a list says why none can yet."""

import ast
from collections.abc import Iterator
from pathlib import Path

from chat_service.test.conformance.promises import NOT_YET, PROMISES, Promise, name_of

TESTS = Path(__file__).parent


def marked() -> Iterator[tuple[Promise, str]]:
    """What a test says that it holds, and the name of the test."""
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for promise in _promises(node):
                    yield promise, node.name


def _promises(test: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Promise]:
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.conformance":
            assert test.name.startswith("test_"), f"{test.name} is not collected"
            yield ast.literal_eval(mark.args[0])


def test_each_promise_is_held_by_a_test_or_known_not_to_be() -> None:
    held = {promise for promise, _ in marked()}
    assert held - set(PROMISES) == set(), "the protocol knows no such promise"
    assert held & set(NOT_YET) == set(), "held, and said not to be"
    assert set(PROMISES) - held - set(NOT_YET) == set(), "neither held nor said not to be"


def test_a_promise_is_held_by_a_test_of_its_name() -> None:
    tests = set(marked())
    held = {promise for promise, _ in tests}
    assert [each for each in held if (each, f"test_{name_of(each)}") not in tests] == []
