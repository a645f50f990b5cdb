"""The beginning of a message, as lists of sessions show it."""

import pytest

from chat_service.sessions.transport import summarise

FAMILY = "👨‍👩‍👧"
FLAG = "🇩🇪"


def test_a_short_text_is_shown_whole() -> None:
    for text in ("", "Hello", "x" * 200, FAMILY):
        assert summarise(text) == text


def test_a_long_text_is_cut_at_200_characters() -> None:
    assert summarise("x" * 201) == "x" * 200


@pytest.mark.parametrize("cluster", [FAMILY, FLAG, "e\u0301", "\r\n", "각"])
def test_no_grapheme_is_cut_in_two(cluster: str) -> None:
    inside = "x" * (201 - len(cluster)) + cluster
    assert summarise(inside) == "x" * (201 - len(cluster)) if len(cluster) > 1 else inside
    before = "x" * (200 - len(cluster)) + cluster
    assert summarise(before + "more") == before


def test_a_grapheme_longer_than_the_summary_is_cut_all_the_same() -> None:
    endless = "e" + "\u0301" * 500
    assert summarise(endless) == endless[:200]
