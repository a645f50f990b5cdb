"""What tests of messages do again and again, in a word each."""

from typing import Any

import httpx2

from chat_service.test.builders import Json, Person


def path_of(session_id: str, message_id: str | None = None) -> str:
    """The address of a session's messages, or of one."""
    end = "" if message_id is None else f"/{message_id}"
    return f"/v1/sessions/{session_id}/messages{end}"


async def empty_session(customer: Person) -> str:
    """The id of a new session, in which nobody has said anything."""
    session_id: str = (await customer.start(None))["session"]["id"]
    return session_id


async def said(person: Person, session_id: str, text: str = "Hello", **fields: Any) -> Json:
    """A message that was sent, as its sender sees it."""
    response = await person.send(session_id, text, **fields)
    assert response.status_code == 201, response.text
    message: Json = response.json()["message"]
    return message


async def read(person: Person, message: Json) -> Json:
    """A message as a person sees it now."""
    response = await person.get(path_of(message["session_id"], message["id"]))
    assert response.status_code == 200, response.text
    found: Json = response.json()["message"]
    return found


async def edit(person: Person, message: Json, text: str, **rest: Any) -> httpx2.Response:
    """The answer to other words for a message."""
    body = {"content": {"type": "text", "text": text}}
    path = path_of(message["session_id"], message["id"])
    return await person.call("PATCH", path, json=body, **rest)


async def delete(person: Person, message: Json, **rest: Any) -> httpx2.Response:
    """The answer to the deletion of a message."""
    return await person.call("DELETE", path_of(message["session_id"], message["id"]), **rest)


def refusal(response: httpx2.Response) -> tuple[int, str]:
    """Status and code of a problem."""
    assert response.headers["Content-Type"] == "application/problem+json", response.text
    return response.status_code, response.json()["code"]


def pointed_at(response: httpx2.Response) -> list[tuple[str, str]]:
    """Which fields a problem names, and what is wrong with each."""
    return [(error["pointer"], error["code"]) for error in response.json()["errors"]]
