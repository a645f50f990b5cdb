"""What tests of customers do again and again, in a word each."""

import httpx2

from chat_service.test.builders import Person


async def refresh(person: Person, token: str | None = None) -> httpx2.Response:
    """The answer to a refresh token, by default the newest of that person."""
    body = {"refresh_token": token or person.details["refresh_token"]}
    return await person.client.post("/v1/auth/token", json=body)


async def renew(person: Person) -> Person:
    """The same person with the next tokens."""
    response = await refresh(person)
    assert response.status_code == 200, response.text
    tokens = response.json()
    return Person(person.client, tokens["access_token"], person.id, tokens)
