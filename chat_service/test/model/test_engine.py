"""How a database is reached."""

import pytest

from chat_service.config import Database
from chat_service.model import open_engine


@pytest.mark.parametrize("mode", ["disable", "require", "verify-full"])
def test_the_usual_word_for_encryption_is_understood(mode: str) -> None:
    url = f"postgresql://chat@db/chat?sslmode={mode}&application_name=desk"
    query = open_engine(Database(url=url)).url.query
    assert query == {"ssl": mode, "application_name": "desk"}
