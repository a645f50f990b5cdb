"""`chat-service reset-password`: a link for who has no other way in."""

import pyotp
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


@pytest.mark.asvs("6.4.3")
async def test_the_second_factor_stays_unless_it_is_taken_off(seeded: Shell) -> None:
    """The only owner may lose his device, and then only who runs the installation can help him."""
    chosen = {"password": "correct horse"}
    async with client_of(seeded) as client:
        link = {"token": seeded.run("reset-password", *OWNER).out.strip(), **chosen}
        token = (await client.post("/v1/auth/links", json=link)).json()["access_token"]
        path, headers = "/v1/agents/me/second-factor", {"Authorization": f"Bearer {token}"}
        secret = (await client.post(path, json=chosen, headers=headers)).json()["secret"]
        code = {"code": pyotp.TOTP(secret).now()}
        assert (await client.post(f"{path}/confirm", json=code, headers=headers)).is_success
        for rest, status in (((), 400), (("--without-second-factor",), 200)):
            made = seeded.run("reset-password", *OWNER, *rest).out.strip()
            used = await client.post("/v1/auth/links", json={"token": made, **chosen})
            assert used.status_code == status, used.text
