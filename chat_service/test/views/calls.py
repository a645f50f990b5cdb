"""What tests of the log do again and again, in a word each."""

from typing import Any

from chat_service.test.builders import Json, Person


async def page(person: Person, path: str, **params: Any) -> Json:
    """One page of a log."""
    response = await person.get(path, params=params)
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


async def walk(person: Person, path: str, **params: Any) -> list[Json]:
    """A log from its beginning to its end, page by page."""
    events: list[Json] = []
    after: dict[str, str] = {}
    while True:
        found = await page(person, path, **params, **after)
        events += found["data"]
        if not found["has_more"]:
            return events
        assert found["next_cursor"] != after.get("after")
        after = {"after": found["next_cursor"]}


async def refusal(person: Person, path: str, **params: Any) -> tuple[int, str]:
    """Status and code of a refused page."""
    response = await person.get(path, params=params)
    return response.status_code, response.json()["code"]


def of_session(session_id: str) -> str:
    """Where a session's log is read."""
    return f"/v1/sessions/{session_id}/events"
