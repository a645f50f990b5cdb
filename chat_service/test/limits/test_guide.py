"""The tables of the guide beside the settings."""

import re
from pathlib import Path

import attrs
import pytest

import chat_service
from chat_service.config import Rates

DOCS = Path(chat_service.__file__).parent.parent / "docs"
ROWS = [line for line in (DOCS / "configure.md").read_text().splitlines() if "`rates." in line]


def told() -> dict[str, float]:
    """Each setting of the table, and its default there."""
    found: dict[str, float] = {}
    for row in ROWS:
        names, defaults = row.split("|")[1:3]
        settings = re.findall(r"`(?:rates\.)?(\w+)`", names)
        numbers = [float(number) for number in defaults.split(",")]
        found.update(zip(settings, numbers, strict=True))
    return found


def test_the_guide_lists_each_rate_with_its_default() -> None:
    assert told() == {option.name: option.default for option in attrs.fields(Rates)}


LIMITS = [
    ("customer_sends_per_second", "5 messages a second"),
    ("customer_sends_burst", "20 at once, 100 a minute"),
    ("customer_sends_per_minute", "100 a minute; 300 a minute in all"),
    ("agent_sends_per_second", "an agent 20 messages"),
    ("key_sends_per_second", "an API key 100"),
    ("signs_per_second", "20 signs of typing a second"),
    ("signs_burst", "60 at once; read marks"),
    ("reads_per_second", "50 reads a second"),
    ("reads_burst", "200 at once; 20 other"),
    ("changes_per_second", "20 other writes"),
    ("changes_burst", "100 at once |"),
    ("sessions_per_minute", "5 new sessions a minute"),
    ("sessions_per_day", "50 a day"),
    ("arrivals_per_minute", "30 new customers a minute, and 30 new sessions"),
    ("identities_per_minute", "60 renewals of his tokens a minute"),
    ("sockets_per_second", "10 new sockets a second"),
    ("sockets_burst", "200 at once |"),
]


@pytest.mark.parametrize(("setting", "words"), LIMITS)
def test_the_api_page_tells_each_rate(setting: str, words: str) -> None:
    assert words in (DOCS / "api.md").read_text()
    assert str(getattr(Rates(), setting)) in words


def test_no_rate_is_left_out_of_the_api_page() -> None:
    others = {"factor", "keys", "late_seconds"}
    assert {name for name, _ in LIMITS} | others == {each.name for each in attrs.fields(Rates)}
