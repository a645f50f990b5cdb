"""`chat-service reset-password`: a link for who has no other way in."""

import pytest

from chat_service.test.cli.programs import Shell, client_of

pytestmark = pytest.mark.timeout(120)
OWNER = ("--email", "Owner@example.org")


@pytest.mark.asvs("6.4.1")
async def test_the_link_opens_the_account(seeded: Shell) -> None:
    made = seeded.run("reset-password", *OWNER)
    assert (made.code, made.err, made.out[:3]) == (0, "", "il_")
    body = {"token": made.out.strip(), "password": "correct horse"}
    async with client_of(seeded) as client:
        joined = await client.post("/v1/auth/links", json=body)
        again = await client.post("/v1/auth/links", json=body)
    assert joined.json()["agent"]["email"] == "owner@example.org"
    assert again.status_code == 400


def test_it_is_an_address_where_the_service_has_one(seeded: Shell) -> None:
    public_url = "https://chat.example.org"
    made = seeded.run("reset-password", *OWNER, SERVER_PUBLIC_URL=public_url)
    assert made.out.startswith(f"{public_url}/console/link#il_")


def test_a_stranger_gets_none(seeded: Shell) -> None:
    missing = seeded.run("reset-password", "--email", "eve@example.org")
    assert (missing.code, missing.out) == (1, "")
    assert missing.err == "nobody in this workspace has the e-mail eve@example.org\n"
    elsewhere = seeded.run("reset-password", *OWNER, "--workspace", "nowhere")
    assert elsewhere.err == "no such workspace, or more than one: give --workspace\n"
