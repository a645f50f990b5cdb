"""The client for asyncio."""

import asyncio
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Any, Self

import httpx2

from chat_service_client import requests
from chat_service_client.errors import Problem
from chat_service_client.following import SILENCE_SECONDS, Follower
from chat_service_client.position import Event
from chat_service_client.requests import Call, Json
from chat_service_client.retry import STEADY_SECONDS, Backoff, wait_after

TIMEOUT = httpx2.Timeout(15.0)


class AsyncChat:
    """A customer, an agent or a program on one chat-service, for use as `async with`.

    `token` is a customer's, an agent's, or an API key; `begin` and `sign_in` get one. Reads and safe
    repeats are tried again for `patience` seconds; then the last error is raised. A connection on
    which nothing came for `silence` seconds counts as lost: the service speaks more often. After
    one that held for `steady` seconds the waits between two tries begin anew at half a second.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        patience: float = 60.0,
        silence: float = SILENCE_SECONDS,
        steady: float = STEADY_SECONDS,
    ) -> None:
        self.token = token
        self._refresh_token: str | None = None
        self._patience = patience
        self._silence = silence
        self._steady = steady
        self._http = httpx2.AsyncClient(base_url=url, timeout=TIMEOUT)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def begin(
        self, inbox_key: str, *, name: str | None = None, email: str | None = None
    ) -> Json:
        """Become a new customer of an inbox; the token is renewed by itself from now on."""
        answer = await self._once(requests.begin(inbox_key, name, email))
        self._keep(answer)
        return dict(answer["customer"])

    async def sign_in(self, email: str, password: str, *, workspace: str | None = None) -> Json:
        """Sign an agent in. Raises Problem `invalid_grant` or `too_many_tries`."""
        answer = await self._once(requests.sign_in(email, password, workspace))
        self._keep(answer)
        return dict(answer["agent"])

    async def start(
        self, text: str | None = None, *, client_session_id: str | None = None, **fields: Any
    ) -> Json:
        """Start a session, with a first message; safe to repeat with the same id. The session."""
        answer = await self.call(requests.start(text, client_session_id, **fields))
        return dict(answer["session"])

    async def send(
        self, session_id: str, text: str, *, client_message_id: str | None = None, **fields: Any
    ) -> Json:
        """Send a message until it is answered; it is durable then, and there once."""
        body = requests.message(text, client_message_id, **fields)
        answer = await self.call(requests.send(session_id, body))
        return dict(answer["message"])

    async def session(self, session_id: str) -> Json:
        """A session as it is now."""
        answer = await self.call(Call("GET", f"/v1/sessions/{session_id}"))
        return dict(answer["session"])

    async def messages(self, session_id: str, **params: Any) -> list[Json]:
        """A page of messages, oldest first; `before_seq`, `after_seq`, `limit`."""
        return list((await self.call(requests.messages(session_id, **params)))["data"])

    def follow(self, session_id: str, *, after: str | None = None) -> AsyncGenerator[Event, None]:
        """The session's events behind a cursor, from the first on, for ever: each once, in order.

        Keep `event["cursor"]` with what the event changed, to go on from there another time. There
        is an end where the service closes with 1000. Raises ResetByServer where the log was set
        back, and Problem where the right is lost.
        """
        backoff = Backoff(steady=self._steady)
        follower = Follower(
            self, self._http, session_id, after=after, silence=self._silence, backoff=backoff
        )
        return follower.events()

    async def call(self, call: Call) -> Json:
        """Any request that is safe to repeat, tried again until it is answered or refused."""
        backoff, loop = Backoff(), asyncio.get_running_loop()
        end = loop.time() + self._patience
        while True:
            try:
                return await self._signed_in(call)
            except (Problem, httpx2.TransportError) as error:
                wait = wait_after(error, backoff)
                if wait is None or loop.time() + wait > end:
                    raise
                await asyncio.sleep(wait)

    async def _signed_in(self, call: Call) -> Json:
        """One try; a customer's token that has ended is renewed before a second one."""
        try:
            return await self._once(call)
        except Problem as problem:
            if problem.status != 401 or not self.renewable:
                raise
        await self.renew()
        return await self._once(call)

    @property
    def renewable(self) -> bool:
        """Whether a token that has ended can be renewed, as others have to sign in again."""
        return self._refresh_token is not None

    async def renew(self) -> None:
        """Get a new token for the customer, in one try. Raises Problem where there is none."""
        assert self._refresh_token is not None
        self._keep(await self._once(requests.refresh(self._refresh_token)))

    async def _once(self, call: Call) -> Json:
        response = await self._http.request(
            call.method, call.path, json=call.json, params=call.params, headers=self.headers()
        )
        return requests.answer_of(response)

    def headers(self) -> dict[str, str]:
        """Who calls."""
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}

    def _keep(self, answer: Json) -> None:
        self.token = answer["access_token"]
        self._refresh_token = answer.get("refresh_token")
