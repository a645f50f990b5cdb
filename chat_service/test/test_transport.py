"""What wire models share."""

import pytest

from chat_service.transport import shown_name


@pytest.mark.parametrize("name", ["Ada", "Zoë O\u2019Hara", "李小龍", "עדה", "Ada 👩🏽"])
def test_a_name_is_shown_as_it_is(name: str) -> None:
    assert shown_name(name) == name


@pytest.mark.parametrize(
    "sign", list("\u061c\u200b\u200e\u200f\u202a\u202e\u2060\u2066\u2069\ufeff")
)
def test_nothing_unseen_turns_or_hides_what_stands_around_a_name(sign: str) -> None:
    assert shown_name(f"{sign}Ada{sign} L.{sign}") == "Ada L."
