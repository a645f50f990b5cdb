"""Asking for another password: always the same answer, and a letter to who has the account."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from email.message import EmailMessage

import pytest

from chat_service.model import Agent
from chat_service.schema import Role
from chat_service.test.addresses import invited
from chat_service.test.agents.lives import (
    ask,
    audited,
    code_of,
    email_of,
    enter,
    join,
    new_address,
    told_of,
    works,
)
from chat_service.test.agents.post_office import (
    PUBLIC_URL,
    SENDER,
    Office,
    opened,
    writing_service,
)
from chat_service.test.builders import Person, Workspace, unique
from chat_service.test.events.apart import client_of
from chat_service.test.fakes import TurningClock
from chat_service.test.rows import change_row, deactivate

LINK = re.compile(re.escape(PUBLIC_URL) + r"/console/link#(il_\w+)")


@pytest.fixture
def office() -> Office:
    """Where letters arrive."""
    return Office()


@pytest.fixture
async def posting(workspace: Workspace, office: Office) -> AsyncIterator[Workspace]:
    """The workspace on a service that sends letters."""
    async with opened(office) as email:
        async with writing_service(workspace.service, email) as service:
            async with client_of(service) as client:
                yield replace(workspace, service=service, client=client)


async def forget(
    workspace: Workspace, email: str, address: str = "", slug: str | None = None
) -> tuple[int, object, object]:
    """Ask for another password; all that is answered."""
    body = {"email": email, "workspace": slug or workspace.slug}
    return told_of(await ask(workspace.service, "/v1/auth/recovery", body, address))


async def arrived(workspace: Workspace, office: Office) -> list[tuple[list[str], EmailMessage]]:
    """The letters that were sent."""
    await workspace.service.mailer.flush()
    return office.letters


def token_in(letter: EmailMessage) -> str:
    """The link of a letter."""
    found = LINK.search(letter.get_content())
    assert found is not None, letter.get_content()
    return found[1]


async def test_a_letter_leads_to_another_password(posting: Workspace, office: Office) -> None:
    bob = await posting.agent(name="Bob")
    assert (await forget(posting, email_of(bob).upper()))[:2] == (202, {})
    ((recipients, letter),) = await arrived(posting, office)
    assert (recipients, letter["From"], letter["To"]) == ([email_of(bob)], SENDER, email_of(bob))
    assert letter.get_content_type() == "text/plain"
    assert "Hello Bob," in letter.get_content() and "Test" in letter.get_content()
    assert (await join(posting, token_in(letter))).status_code == 200
    assert not await works(bob)
    (entry,) = await audited(posting, "agent.recovery_requested")
    assert (entry.outcome, entry.actor_id, entry.target_id) == ("done", None, bob.id)


@pytest.mark.asvs("6.3.8")
@pytest.mark.api_top10("API2")
async def test_nobody_learns_whether_there_is_an_account(
    posting: Workspace, office: Office
) -> None:
    bob, gone, guest = await posting.agent(), await posting.agent(), await invited(posting)
    elsewhere = await posting.agent()
    await deactivate(posting, gone)
    await change_row(posting, Agent, elsewhere.id, password_hash=None)
    emails = [email_of(bob), email_of(gone), guest.email, email_of(elsewhere), "no@example.org"]
    answers = [await forget(posting, email) for email in emails]
    answers.append(await forget(posting, email_of(bob), slug="no-such-workspace"))
    assert answers == [answers[0]] * len(answers)
    assert [to for to, _ in await arrived(posting, office)] == [[email_of(bob)]]


@pytest.mark.asvs("6.3.1", "6.3.8")
@pytest.mark.api_top10("API2", "API6")
async def test_known_and_unknown_accounts_are_limited_alike(
    posting: Workspace, office: Office
) -> None:
    bob, stranger = await posting.agent(), f"{unique()}@example.org"
    for _ in range(11):
        assert await forget(posting, email_of(bob)) == await forget(posting, stranger)
    assert (await forget(posting, email_of(bob)))[0] == 429
    assert len(await arrived(posting, office)) == 3
    assert (await enter(posting, bob)).status_code == 200, "signing in is counted apart"
    place = new_address()
    emails = [f"{unique()}@example.org" for _ in range(6)]
    answers = [(await forget(posting, email, place))[0] for email in emails]
    assert answers == [202] * 5 + [429]


@pytest.mark.asvs("6.3.8")
@pytest.mark.api_top10("API6")
async def test_nobody_is_sent_more_than_three_letters_in_a_quarter_of_an_hour(
    posting: Workspace, office: Office, clock: TurningClock
) -> None:
    bob, eve = await posting.agent(), await posting.agent()
    answers = [await forget(posting, email_of(bob).upper()) for _ in range(5)]
    answers.append(await forget(posting, email_of(eve)))
    assert answers == [answers[0]] * 6
    letters = [to for to, _ in await arrived(posting, office)]
    assert letters == [[email_of(bob)]] * 3 + [[email_of(eve)]]
    asked = await audited(posting, "agent.recovery_requested")
    assert [entry.outcome for entry in asked] == ["done"] * 3 + ["refused"] * 2 + ["done"]
    clock.turn(seconds=901)
    assert await forget(posting, email_of(bob)) == answers[0]
    assert len(await arrived(posting, office)) == 5


async def test_whoever_asks_takes_no_link_away(posting: Workspace, office: Office) -> None:
    owner, bob = await posting.agent(Role.OWNER), await posting.agent()
    made = (await owner.post(f"/v1/agents/{bob.id}/link")).json()["link"]["token"]
    await forget(posting, email_of(bob))
    assert (await join(posting, made)).status_code == 200
    letters = await arrived(posting, office)
    assert [code_of(await join(posting, token_in(letter))) for _, letter in letters] == [
        (400, "invalid_grant")
    ] * 2


@pytest.mark.asvs("1.3.7", "1.3.11")
async def test_an_invitation_is_sent_as_well(posting: Workspace, office: Office) -> None:
    owner, email = await posting.agent(Role.OWNER), f"{unique()}@example.org"
    name = "Nora\r\nBcc: eve@example.org \u202e{url}"
    body = {"email": email, "display_name": name, "role": "agent"}
    link = (await owner.post("/v1/agents", body)).json()["link"]
    ((recipients, letter),) = await arrived(posting, office)
    assert (recipients, letter["Bcc"]) == ([email], None)
    assert "Hello Nora Bcc: eve@example.org {url}," in letter.get_content()
    assert token_in(letter) == link["token"]
    assert link["url"] in letter.get_content()


async def test_without_a_mail_server_nothing_is_made(workspace: Workspace) -> None:
    bob = await workspace.agent()
    assert (await forget(workspace, email_of(bob)))[0] == 202
    assert (await enter(workspace, bob)).status_code == 200


@pytest.mark.asvs("4.1.3")
async def test_a_letter_names_the_configured_address_whatever_is_asked(
    posting: Workspace, office: Office
) -> None:
    bob = await posting.agent()
    body = {"email": email_of(bob), "workspace": posting.slug}
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil"}
    await ask(posting.service, "/v1/auth/recovery", body, headers=evil)
    ((_, letter),) = await arrived(posting, office)
    assert "evil" not in letter.as_string()
    assert token_in(letter)


@pytest.mark.asvs("6.4.1")
async def test_a_link_of_a_letter_lives_half_an_hour(
    posting: Workspace, office: Office, clock: TurningClock
) -> None:
    bob: Person = await posting.agent()
    await forget(posting, email_of(bob))
    ((_, letter),) = await arrived(posting, office)
    clock.turn(minutes=31)
    assert code_of(await join(posting, token_in(letter))) == (400, "invalid_grant")
