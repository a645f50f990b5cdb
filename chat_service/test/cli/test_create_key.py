"""`chat-service create-key`: printed once, opening what it was made for."""

import pytest
from click.testing import CliRunner

from chat_service.cli.create_key import command
from chat_service.test.cli.programs import Shell, client_of

pytestmark = pytest.mark.timeout(120)


async def test_a_key_opens_what_its_scopes_say(seeded: Shell) -> None:
    made = seeded.run("create-key", "--name", "Shop", "--scope", "sessions:read_all")
    assert (made.code, made.err) == (0, "")
    assert made.out.startswith("sk_") and made.out.count("\n") == 1
    async with client_of(seeded) as client:
        key = {"Authorization": f"Bearer {made.out.strip()}"}
        assert (await client.get("/v1/events", headers=key)).status_code == 200
        demo = (seeded.folder / "var" / "demo.txt").read_text()
        customer_id = demo.partition("customer_id: ")[2].strip()
        start = {"client_session_id": "first", "customer_id": customer_id}
        refused = await client.post("/v1/sessions", json=start, headers=key)
        assert refused.json()["code"] == "forbidden"


@pytest.mark.parametrize(
    "words",
    [
        ["--name", "Shop"],
        ["--scope", "sessions:read_all"],
        ["--name", "Shop", "--scope", "everything"],
        ["--name", "x" * 129, "--scope", "sessions:read_all"],
        ["--name", "Shop", "--scope", "sessions:read_all", "--days", "0"],
        ["--name", "Shop", "--scope", "sessions:read_all", "--days", "3651"],
    ],
)
def test_refuses_a_key_for_nothing_or_for_ever(words: list[str]) -> None:
    refused = CliRunner().invoke(command, words)
    assert (refused.exit_code, refused.stdout) == (2, "")


def test_a_workspace_must_be_there(shell: Shell) -> None:
    missing = shell.run("create-key", "--name", "Shop", "--scope", "sessions:read_all")
    assert (missing.code, missing.out) == (1, "")
    assert missing.err == "no such workspace, or more than one: give --workspace\n"
