"""Letters: how they leave, and what becomes of those that cannot."""

import asyncio
import ssl
from typing import Any

import attrs
import pytest
from aiosmtpd.smtp import AuthResult
from structlog.testing import capture_logs
from typed_settings.types import Secret

from chat_service import metrics
from chat_service.config import EmailSettings
from chat_service.mail import WAITING_AT_MOST, Letter, Mailer, message_of
from chat_service.test.agents.post_office import SENDER, Office, opened
from chat_service.test.figures import figures_of, grown, series

LETTER = Letter("ada@example.org", "Hello", "A line.\nAnother: ä.\n")


async def sent(config: EmailSettings, *letters: Letter) -> dict[str, float]:
    """What became of letters, by the figures."""
    before = figures_of(metrics.exposition().decode())
    mailer = Mailer(config)
    for letter in letters or (LETTER,):
        mailer.send(letter)
    task = asyncio.create_task(mailer.run())
    await mailer.flush()
    task.cancel()
    after = figures_of(metrics.exposition().decode())
    names = {
        series("chat_letters_total", outcome=each): each for each in ("sent", "failed", "dropped")
    }
    return {names[one]: by for one, by in grown(before, after).items() if one in names}


async def test_a_letter_arrives_as_it_was_written() -> None:
    office = Office()
    async with opened(office) as config:
        assert await sent(config) == {"sent": 1}
    ((recipients, letter),) = office.letters
    assert recipients == [LETTER.recipient]
    assert (letter["From"], letter["To"], letter["Subject"]) == (SENDER, LETTER.recipient, "Hello")
    assert letter.get_content().splitlines() == LETTER.text.splitlines()
    assert letter["Date"] and letter["Message-ID"].endswith("@example.org>")


async def test_without_a_server_there_are_no_letters() -> None:
    assert await sent(EmailSettings()) == {}


@pytest.mark.parametrize("field", ["recipient", "subject"])
@pytest.mark.parametrize("evil", ["a@b.c\r\nBcc: eve@example.org", "x\ny", "x\0y", "x\u2028y"])
@pytest.mark.asvs("1.3.11")
async def test_a_header_is_one_line(field: str, evil: str) -> None:
    fields = {"recipient": LETTER.recipient, "subject": LETTER.subject, field: evil}
    with pytest.raises(ValueError, match="one line"):
        message_of(Letter(text="x", **fields), SENDER)


@pytest.mark.asvs("16.2.5", "16.3.4")
async def test_a_failure_is_counted_and_logged_by_its_kind_alone() -> None:
    """What an error says of itself is left out of every line, so there is nothing but its kind."""
    office = Office(refusal="550 ada@example.org is not here")
    with capture_logs() as logs:
        async with opened(office) as config:
            assert await sent(config) == {"failed": 1}
        assert await sent(config) == {"failed": 1}, "now nobody listens there"
    told = [line for line in logs if line["event"] == "letter_failed"]
    assert len(told) == 2
    assert {name for line in told for name in line} == {"event", "exc_info", "log_level"}


@pytest.mark.asvs("13.2.6", "16.5.2")
async def test_a_server_that_says_nothing_is_given_up() -> None:
    async def silence(reader: Any, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    config = EmailSettings(host="127.0.0.1", port=port, sender=SENDER, tls="none", seconds=0.2)
    with capture_logs():
        assert await sent(config) == {"failed": 1}
    server.close()
    await server.wait_closed()


@pytest.mark.asvs("15.2.2")
def test_what_comes_while_too_many_wait_is_dropped_and_counted() -> None:
    mailer = Mailer(EmailSettings(host="127.0.0.1", sender=SENDER))
    before = figures_of(metrics.exposition().decode())
    with capture_logs() as logs:
        for _ in range(WAITING_AT_MOST + 2):
            mailer.send(LETTER)
    after = figures_of(metrics.exposition().decode())
    assert grown(before, after) == {series("chat_letters_total", outcome="dropped"): 2}
    assert [line["event"] for line in logs] == ["letter_dropped"] * 2


async def test_user_and_password_are_shown() -> None:
    def check(server: Any, session: Any, envelope: Any, mechanism: Any, given: Any) -> AuthResult:
        good = (given.login, given.password) == (b"chat", b"p4ssword")
        return AuthResult(success=good)

    office = Office()
    how = {"authenticator": check, "auth_require_tls": False}
    async with opened(office, **how) as config:
        config = attrs.evolve(config, user="chat")
        with capture_logs():
            assert await sent(attrs.evolve(config, password=Secret("wrong"))) == {"failed": 1}
        assert await sent(attrs.evolve(config, password=Secret("p4ssword"))) == {"sent": 1}
    assert "p4ssword" not in repr(attrs.evolve(config, password=Secret("p4ssword")))


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.asvs("12.3.2")
async def test_nothing_is_sent_to_a_server_without_a_good_certificate(tls: Any) -> None:
    office = Office()
    async with opened(office) as config:
        config = attrs.evolve(config, tls=tls, seconds=2)
        with capture_logs():
            assert await sent(config) == {"failed": 1}
    assert office.letters == []
    assert ssl.create_default_context().verify_mode is ssl.CERT_REQUIRED
