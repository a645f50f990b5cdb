"""The requests of the API as values, and what their answers mean. Pure: nothing is sent here."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2

from chat_service_client.errors import Problem

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One request below `/v1`."""

    method: str
    path: str
    json: Json | None = None
    params: Json = field(default_factory=dict)


def begin(inbox_key: str, name: str | None, email: str | None) -> Call:
    """Become a new customer of an inbox."""
    given = {"name": name, "email": email}
    profile = {key: value for key, value in given.items() if value is not None}
    return Call("POST", f"/v1/inboxes/{inbox_key}/customers", {"profile": profile})


def sign_in(email: str, password: str, workspace: str | None) -> Call:
    """Sign an agent in."""
    body: Json = {"email": email, "password": password}
    return Call("POST", "/v1/auth/sign-in", body | ({"workspace": workspace} if workspace else {}))


def refresh(refresh_token: str) -> Call:
    """Renew a customer's token."""
    return Call("POST", "/v1/auth/token", {"refresh_token": refresh_token})


def start(text: str | None, client_session_id: str | None, **fields: Any) -> Call:
    """Start a session; the ids that make a repeat safe are made here unless they are given."""
    body: Json = {"client_session_id": client_session_id or new_id(), **fields}
    if text is not None:
        body["initial_message"] = message(text, None)
    return Call("POST", "/v1/sessions", body)


def message(text: str, client_message_id: str | None, **fields: Any) -> Json:
    """The body of a message."""
    content = {"type": "text", "text": text}
    return {"client_message_id": client_message_id or new_id(), "content": content, **fields}


def send(session_id: str, body: Json) -> Call:
    """Send a message."""
    return Call("POST", f"/v1/sessions/{session_id}/messages", body)


def messages(session_id: str, **params: Any) -> Call:
    """A page of messages."""
    return Call("GET", f"/v1/sessions/{session_id}/messages", params=params)


def events(session_id: str, after: str | None, wait: float) -> Call:
    """The events behind a cursor; waits up to so many seconds for one."""
    params: Json = {"wait": wait} | ({"after": after} if after else {})
    return Call("GET", f"/v1/sessions/{session_id}/events", params=params)


def new_id() -> str:
    """An id for a message or a session, unique for ever."""
    return uuid4().hex


def answer_of(response: httpx2.Response) -> Json:
    """The document of a good answer; raises Problem."""
    if response.is_success:
        return dict(response.json()) if response.content else {}
    raise problem_of(response)


def problem_of(response: httpx2.Response) -> Problem:
    """A refused answer, also one that is not of this service but of a proxy before it."""
    try:
        document = dict(response.json())
    except ValueError:
        document = {"code": "no_problem_document", "detail": response.reason_phrase}
    return Problem(response.status_code, document, retry_after=retry_after_of(response))


def retry_after_of(response: httpx2.Response) -> float | None:
    """How many seconds the service wants to be left alone, where it says so."""
    after = response.headers.get("Retry-After", "")
    return float(after) if after.isdigit() else None
