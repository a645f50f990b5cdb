"""The client without `async`: the same one, run in an event loop of its own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Self

from chat_service_client.aio import AsyncChat
from chat_service_client.position import Event
from chat_service_client.requests import Json


class Chat:
    """A customer, an agent or a program on one chat-service, for use as `with`. See AsyncChat."""

    def __init__(self, url: str, token: str | None = None, *, patience: float = 60.0) -> None:
        self._runner = asyncio.Runner()
        self._chat = AsyncChat(url, token, patience=patience)

    def __enter__(self) -> Self:
        self._runner.run(self._chat.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._runner.run(self._chat.__aexit__(kind, error, trace))
        self._runner.close()

    def begin(self, inbox_key: str, *, name: str | None = None, email: str | None = None) -> Json:
        """Become a new customer of an inbox."""
        return self._runner.run(self._chat.begin(inbox_key, name=name, email=email))

    def sign_in(self, email: str, password: str, *, workspace: str | None = None) -> Json:
        """Sign an agent in."""
        return self._runner.run(self._chat.sign_in(email, password, workspace=workspace))

    def start(
        self, text: str | None = None, *, client_session_id: str | None = None, **fields: Any
    ) -> Json:
        """Start a session, with a first message."""
        begun = self._chat.start(text, client_session_id=client_session_id, **fields)
        return self._runner.run(begun)

    def send(
        self, session_id: str, text: str, *, client_message_id: str | None = None, **fields: Any
    ) -> Json:
        """Send a message until it is answered."""
        sent = self._chat.send(session_id, text, client_message_id=client_message_id, **fields)
        return self._runner.run(sent)

    def session(self, session_id: str) -> Json:
        """A session as it is now."""
        return self._runner.run(self._chat.session(session_id))

    def messages(self, session_id: str, **params: Any) -> list[Json]:
        """A page of messages, oldest first."""
        return self._runner.run(self._chat.messages(session_id, **params))

    def follow(self, session_id: str, *, after: str | None = None) -> Iterator[Event]:
        """The session's events behind a cursor, for ever: each once, in order."""
        events = self._chat.follow(session_id, after=after)
        try:
            while (event := self._runner.run(_next(events))) is not None:
                yield event
        finally:
            self._runner.run(events.aclose())


async def _next(events: AsyncIterator[Event]) -> Event | None:
    """The next one; None at the end."""
    return await anext(events, None)
