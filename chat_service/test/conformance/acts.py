"""What several of these tests do: renew a token, start a session, hand a draft to the lane."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

import httpx2

from chat_service.app import Service
from chat_service.messages import services as messages
from chat_service.messages.drafts import Draft, draft_of
from chat_service.messages.transport import NewMessage
from chat_service.schema import SessionId
from chat_service.test.builders import Person, message, unique
from chat_service.web import Shared


async def renewed(person: Person) -> Person:
    """A customer with a new token, after the old one has expired."""
    body = {"refresh_token": person.details["refresh_token"]}
    response = await person.client.post("/v1/auth/token", json=body)
    assert response.status_code == 200, response.text
    return replace(person, token=response.json()["access_token"])


async def begin(person: Person, **body: Any) -> httpx2.Response:
    """The answer to the start of a session."""
    return await person.post("/v1/sessions", {"client_session_id": unique(), **body})


async def draft_by(service: Service, person: Person, session_id: str, **fields: Any) -> Draft:
    """A message as its route hands it to the lane."""
    shared = cast(Shared, service.quart.extensions["chat_service"])
    with service.database.bound():
        caller = await shared.authenticator.authenticate(person.token)
    body = NewMessage.model_validate({**message(), **fields})
    return draft_of(
        caller,
        SessionId(UUID(session_id)),
        client_message_id=str(body.client_message_id),
        content=body.content.model_dump(),
        visibility=body.visibility,
        reply_to_id=body.reply_to_id,
        metadata=body.metadata,
        public_metadata=body.public_metadata,
        limits=service.config.limits,
    )


async def send_all(service: Service, drafts: Sequence[Draft]) -> list[Any]:
    """What each of several senders is told who come to the lane in one turn."""
    with service.database.bound():
        sends = (messages.send(service.lanes, draft) for draft in drafts)
        return await asyncio.gather(*sends, return_exceptions=True)
