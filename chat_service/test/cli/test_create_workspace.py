"""`chat-service create-workspace`: a tenant, whose owner gets in by what is printed once."""

import pytest
from click.testing import CliRunner

from chat_service.cli.create_workspace import command
from chat_service.test.cli.programs import Shell

pytestmark = pytest.mark.timeout(120)
WORKSPACE = ("--slug", "shop", "--name", "Example Shop")
OWNER = ("--owner-email", "eve@example.org", "--owner-name", "Eve")


def test_the_owners_token_is_printed_and_a_slug_is_taken_once(shell: Shell) -> None:
    made = shell.run("create-workspace", *WORKSPACE, *OWNER)
    assert (made.code, made.err) == (0, "")
    assert made.out.startswith("il_") and made.out.count("\n") == 1
    taken = shell.run("create-workspace", *WORKSPACE)
    assert (taken.code, taken.out, taken.err) == (1, "", "There is a workspace shop\n")


def test_without_an_owner_it_says_how_to_add_one(shell: Shell) -> None:
    made = shell.run("create-workspace", *WORKSPACE)
    assert (made.code, made.out) == (0, "")
    assert "chat-service create-agent --workspace shop --role owner" in made.err


@pytest.mark.parametrize(
    "words",
    [
        ("--slug", "Shop", "--name", "Example Shop"),
        ("--slug", "shop", "--name", ""),
        ("--slug", "shop"),
        (*WORKSPACE, *OWNER[:2]),
        (*WORKSPACE, *OWNER[2:]),
        (*WORKSPACE, "--owner-email", "nobody", "--owner-name", "Eve"),
    ],
)
def test_refuses_a_workspace_that_nobody_could_sign_in_to(words: tuple[str, ...]) -> None:
    refused = CliRunner().invoke(command, words)
    assert (refused.exit_code, refused.stdout) == (2, "")


def test_help_tells_each_option() -> None:
    shown = CliRunner().invoke(command, ["--help"])
    assert shown.exit_code == 0
    assert all(option in shown.output for option in (*WORKSPACE[::2], *OWNER[::2]))
