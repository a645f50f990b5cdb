"""What markers claim of standards: ids that exist, and no requirement without a test."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat_service.test.security.standards import API_TOP10, ASVS

TESTS = Path(__file__).parents[1]
FORMS = {"asvs": r"\d{1,2}\.\d{1,2}\.\d{1,2}", "api_top10": r"API([1-9]|10)"}
LISTS = {"asvs": ASVS, "api_top10": API_TOP10}


def marked(marker: str) -> Iterator[str]:
    """Every id that a test carries."""
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == f"pytest.mark.{marker}":
                yield from (ast.literal_eval(given) for given in node.args)


@pytest.mark.parametrize("marker", FORMS)
def test_every_id_has_the_form_of_its_standard(marker: str) -> None:
    ids = {*marked(marker), *LISTS[marker]}
    assert [each for each in ids if not re.fullmatch(FORMS[marker], each)] == []


@pytest.mark.parametrize("marker", FORMS)
def test_a_requirement_is_known_as_long_as_a_test_carries_it(marker: str) -> None:
    assert set(marked(marker)) == set(LISTS[marker])
