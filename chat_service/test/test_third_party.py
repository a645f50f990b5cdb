"""Licences of dependencies: what is read, and what is refused."""

from typing import Any

import pytest

import third_party

CLASSIFIER = "License :: OSI Approved :: "
OR_WITHIN_AND = "MPL-2.0 AND (Apache-2.0 OR MIT)"
WITH = "GPL-2.0-only WITH Classpath-exception-2.0"


@pytest.mark.parametrize(
    ("package", "licence"),
    [
        ({"license_expression": OR_WITHIN_AND}, OR_WITHIN_AND),
        ({"license": "BSD-3-Clause", "classifier": [CLASSIFIER + "BSD License"]}, "BSD-3-Clause"),
        ({"license": "Expat license", "classifier": [CLASSIFIER + "MIT License"]}, "MIT"),
        ({"classifier": ["License :: DFSG approved", CLASSIFIER + "BSD License"]}, "BSD"),
        ({"name": "kosoku"}, "MIT AND Apache-2.0"),
    ],
)
def test_accepts_a_licence_of_the_list(package: dict[str, Any], licence: str) -> None:
    assert third_party.licence_of(package) == licence
    assert list(third_party.refusals("some", package)) == []


@pytest.mark.parametrize(
    ("package", "told"),
    [
        ({"license_expression": "GPL-3.0-only"}, "GPL-3.0-only"),
        ({"license_expression": "MIT AND GPL-3.0-only"}, "MIT AND GPL-3.0-only"),
        ({"license_expression": WITH}, WITH),
        ({"license": "The licence\nof many lines"}, "The licence"),
        ({"classifier": [CLASSIFIER + "MIT License", CLASSIFIER + "Other"]}, "MIT AND Other"),
        ({}, "none"),
    ],
)
def test_refuses_any_other_licence_in_one_line(package: dict[str, Any], told: str) -> None:
    (line,) = third_party.refusals("some", package)
    assert line == f"some: its licence is not on the list of tools/third_party.py: {told}"


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT OR ISC AND GPL-3.0-only", True),
        ("(MIT OR ISC) AND GPL-3.0-only", False),
        ("((MIT OR ISC) AND (BSD-3-Clause OR GPL-3.0-only))", True),
        ("MIT or later", False),
        ("", False),
    ],
)
def test_and_binds_before_or(expression: str, allowed: bool) -> None:
    assert third_party.is_allowed(expression) is allowed


@pytest.mark.parametrize(
    ("package", "address"),
    [
        (
            {"project_url": ["Docs, https://a.example", "Source, https://b.example"]},
            "https://b.example",
        ),
        ({"home_page": "https://c.example"}, "https://c.example"),
        ({}, ""),
    ],
)
def test_names_the_home_page(package: dict[str, Any], address: str) -> None:
    assert third_party.home_page(package) == address
