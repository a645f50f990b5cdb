"""Letters by e-mail: plain text, one recipient each, sent beside the requests that cause them.

Owns how a letter leaves: a bounded queue, a bounded time, the server's certificate checked. What is
lost with a process is lost: whoever asked for a letter asks again. Leaves the words to those who
write them. Neither addresses nor words are logged.
"""

import asyncio
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from typing import Final

import aiosmtplib
import structlog

from chat_service import metrics
from chat_service.config import EmailSettings

WAITING_AT_MOST: Final = 1_000
AT_ONCE: Final = 4
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """What somebody is written."""

    recipient: str
    subject: str
    text: str


class Mailer:
    """Sends letters by the configured server; without one it takes none."""

    def __init__(self, config: EmailSettings) -> None:
        self._config = config
        self._waiting: asyncio.Queue[Letter] = asyncio.Queue(WAITING_AT_MOST)

    @property
    def is_set(self) -> bool:
        """Whether there is a server to take letters."""
        return bool(self._config.host)

    def send(self, letter: Letter | None) -> None:
        """Have a letter sent soon, if there is one; what comes while too many wait is dropped."""
        if letter is None or not self.is_set:
            return
        try:
            self._waiting.put_nowait(letter)
        except asyncio.QueueFull:
            metrics.LETTERS.labels("dropped").inc()
            log.error("letter_dropped")

    async def run(self) -> None:
        """Send what waits, for as long as the service runs."""
        await asyncio.gather(*(self._work() for _ in range(AT_ONCE)))

    async def flush(self) -> None:
        """Wait until all that was given has been sent, or has failed."""
        await self._waiting.join()

    async def _work(self) -> None:
        while True:
            letter = await self._waiting.get()
            try:
                await self._deliver(letter)
            finally:
                self._waiting.task_done()

    async def _deliver(self, letter: Letter) -> None:
        """Hand a letter to the server; a failure is counted and logged by its kind alone."""
        try:
            async with asyncio.timeout(self._config.seconds):
                await self._hand_over(message_of(letter, self._config.sender))
        except Exception as error:
            metrics.LETTERS.labels("failed").inc()
            log.error("letter_failed", exc_info=error)
        else:
            metrics.LETTERS.labels("sent").inc()

    async def _hand_over(self, message: EmailMessage) -> None:
        config = self._config
        await aiosmtplib.send(
            message,
            hostname=config.host,
            port=config.port,
            username=config.user or None,
            password=config.password.get_secret_value() if config.password else None,
            use_tls=config.tls == "tls",
            start_tls=config.tls == "starttls",
            tls_context=None if config.tls == "none" else ssl.create_default_context(),
            timeout=config.seconds,
        )


def message_of(letter: Letter, sender: str) -> EmailMessage:
    """A letter as it travels; raises ValueError for a header that would be more than one line."""
    for value in (sender, letter.recipient, letter.subject):
        if not value.isprintable():
            raise ValueError("a header has to be one line of text")
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = sender, letter.recipient, letter.subject
    message["Date"] = formatdate(usegmt=True)
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    return message
