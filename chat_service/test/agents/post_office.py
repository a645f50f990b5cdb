"""A mail server for tests, and a service that sends its letters there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import attrs
from aiosmtpd.smtp import SMTP, Envelope, Session

from chat_service.app import Service, create_app
from chat_service.config import EmailSettings
from chat_service.server.background import spawn

PUBLIC_URL = "https://chat.example.org"
SENDER = "chat@example.org"


@dataclass
class Office:
    """What arrived, or with what words each letter is refused."""

    refusal: str | None = None
    letters: list[tuple[list[str], EmailMessage]] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """A letter comes; the name is the library's."""
        if self.refusal is not None:
            return self.refusal
        read: Any = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        self.letters.append((list(envelope.rcpt_tos), read))
        return "250 taken"


@asynccontextmanager
async def opened(office: Office, **how: Any) -> AsyncIterator[EmailSettings]:
    """A server for an office on a free port, and the settings that lead there."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(office, loop=loop, **how), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield EmailSettings(host="127.0.0.1", port=port, sender=SENDER, tls="none", seconds=5)
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def writing_service(service: Service, email: EmailSettings) -> AsyncIterator[Service]:
    """A service on the same database that sends letters."""
    config = attrs.evolve(
        service.config,
        email=email,
        server=attrs.evolve(service.config.server, public_url=PUBLIC_URL),
    )
    other = create_app(config, clock=service.clock)
    task = spawn(other.mailer.run)
    try:
        yield other
    finally:
        task.cancel()
        await other.database.engine.dispose()
