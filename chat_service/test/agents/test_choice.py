"""Which passwords may be chosen, at each place where one is."""

from typing import Any

import pytest

from chat_service.agents.choice import check_choice, common_passwords
from chat_service.errors import ValidationFailed
from chat_service.test.addresses import invited
from chat_service.test.agents.lives import CHOSEN, enter, join
from chat_service.test.builders import PASSWORD, Workspace

COMMON = ["qwertyuiop123", "QWERTYUIOP123", "password1234", "Password!!2026", "  monkey 12345 "]


@pytest.mark.parametrize("password", COMMON)
@pytest.mark.asvs("6.2.4")
@pytest.mark.api_top10("API2")
def test_a_common_password_is_refused_in_whatever_letters(password: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        check_choice(password)
    assert [(each.pointer, each.code) for each in refused.value.errors] == [
        ("/password", "too_common")
    ]


@pytest.mark.parametrize(
    "password", [PASSWORD, CHOSEN, "monkey business", "839204718265", "łódka na wodzie", "x" * 40]
)
@pytest.mark.asvs("6.2.5")
def test_others_pass_of_whatever_signs_they_are(password: str) -> None:
    check_choice(password, "ada@example.org")


@pytest.mark.parametrize("password", ["ada@example.org", "my Ada@Example.org!"])
@pytest.mark.asvs("6.2.11")
def test_the_email_is_no_password(password: str) -> None:
    with pytest.raises(ValidationFailed):
        check_choice(password, "ada@example.org")
    check_choice(password, "bob@example.org")


@pytest.mark.asvs("6.2.4")
def test_the_list_is_there() -> None:
    assert len(common_passwords()) > 25_000


REFUSED: list[tuple[str, str]] = [
    ("short-enough"[:11], "too_short"),
    ("x" * 1025, "too_long"),
    ("qwertyuiop123", "too_common"),
]


@pytest.mark.parametrize(("password", "code"), REFUSED)
@pytest.mark.asvs("6.2.1", "6.2.4")
@pytest.mark.api_top10("API2")
async def test_the_rule_is_the_same_by_link_and_by_change(
    workspace: Workspace, password: str, code: str
) -> None:
    guest, bob = await invited(workspace), await workspace.agent()
    change: Any = {"old_password": PASSWORD, "password": password}
    for refused in (
        await join(workspace, guest.link, password=password),
        await bob.post("/v1/agents/me/password", change),
    ):
        assert refused.status_code == 422
        found = [(each["pointer"], each["code"]) for each in refused.json()["errors"]]
        assert found == [("/password", code)]
        assert password not in refused.text
    assert (await join(workspace, guest.link)).status_code == 200
    assert (await enter(workspace, bob)).status_code == 200


@pytest.mark.asvs("6.2.11")
async def test_the_own_email_is_refused_and_uses_nothing_up(workspace: Workspace) -> None:
    guest = await invited(workspace)
    for _ in range(6):
        refused = await join(workspace, guest.link, "192.0.2.77", password=guest.email.upper())
        assert refused.status_code == 422
    assert (await join(workspace, guest.link, "192.0.2.77")).status_code == 200


@pytest.mark.asvs("6.2.8", "6.2.9")
async def test_the_longest_password_counts_to_its_last_sign(workspace: Workspace) -> None:
    guest, password = await invited(workspace), "Long, " * 170 + "łąć "
    assert len(password) == 1_024
    assert (await join(workspace, guest.link, password=password)).status_code == 200
    assert (await enter(workspace, guest.email, password=password[:-1])).status_code == 400
    assert (await enter(workspace, guest.email, password=password)).status_code == 200
