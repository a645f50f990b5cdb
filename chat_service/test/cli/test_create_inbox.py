"""`chat-service create-inbox`: an entry point for the pages of some sites, and no others."""

import pytest
from click.testing import CliRunner

from chat_service.cli.create_inbox import command
from chat_service.test.cli.programs import Shell, client_of

pytestmark = pytest.mark.timeout(120)
SHOP = "https://shop.example.org"


async def test_pages_of_its_origins_may_use_an_inbox(seeded: Shell) -> None:
    made = seeded.run("create-inbox", "--name", "Shop", "--origin", SHOP)
    assert (made.code, made.err) == (0, "")
    assert made.out.startswith("ib_") and made.out.count("\n") == 1
    path = f"/v1/inboxes/{made.out.strip()}/customers"
    async with client_of(seeded) as client:
        begun = await client.post(path, json={}, headers={"Origin": SHOP})
        assert begun.status_code == 201
        refused = await client.post(path, json={}, headers={"Origin": "http://localhost:8080"})
        assert refused.json()["code"] == "origin_not_allowed"


@pytest.mark.parametrize(
    "origin",
    ["shop.example.org", f"{SHOP}/", f"{SHOP}/chat", "https://Shop.example.org", "*", "null"],
)
def test_refuses_what_no_browser_sends_as_origin(origin: str) -> None:
    refused = CliRunner().invoke(command, ["--name", "Shop", "--origin", origin])
    assert (refused.exit_code, refused.stdout) == (2, "")


def test_a_workspace_must_be_there(shell: Shell) -> None:
    missing = shell.run("create-inbox", "--name", "Shop")
    assert (missing.code, missing.out) == (1, "")
    assert missing.err == "no such workspace, or more than one: give --workspace\n"
