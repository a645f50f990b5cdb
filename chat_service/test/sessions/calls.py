"""What tests of sessions do again and again, in a word each."""

from typing import Any

from chat_service.test.builders import Json, Person


async def waiting(customer: Person, **fields: Any) -> str:
    """The id of a new session that nobody holds."""
    session_id: str = (await customer.start(**fields))["session"]["id"]
    return session_id


async def act(person: Person, session_id: str, action: str, body: Any = None) -> Json:
    """The session after an action that is allowed."""
    response = await person.post(f"/v1/sessions/{session_id}/{action}", body)
    assert response.status_code == 200, response.text
    session: Json = response.json()["session"]
    return session


async def refused(
    person: Person, session_id: str, action: str, body: Any = None, **rest: Any
) -> Json:
    """The problem of an action that is not."""
    response = await person.post(f"/v1/sessions/{session_id}/{action}", body, **rest)
    assert response.status_code >= 400, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    problem: Json = response.json()
    return problem


async def show(person: Person, session_id: str) -> Json:
    """A session as a person sees it."""
    response = await person.get(f"/v1/sessions/{session_id}")
    assert response.status_code == 200, response.text
    session: Json = response.json()["session"]
    return session


async def newest_event(person: Person, session_id: str, kind: str) -> Json:
    """The last event of a type, as a person sees it."""
    return [event for event in await person.events(session_id) if event["type"] == kind][-1]


async def types(person: Person, session_id: str) -> list[str]:
    """What happened in a session, as a person sees it."""
    return [event["type"] for event in await person.events(session_id)]


def agent_ref(person: Person) -> dict[str, str]:
    """How an agent is named in a body."""
    return {"type": "agent", "id": person.id}
