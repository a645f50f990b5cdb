"""`chat-service create-agent`: somebody who may then sign in."""

import pytest
from click.testing import CliRunner

from chat_service.cli.create_agent import command
from chat_service.test.cli.programs import Finished, Shell, client_of

pytestmark = pytest.mark.timeout(120)
WORDS = ("--email", "Eve@Example.org", "--name", "Eve", "--password", "correct horse")


def create(shell: Shell, **words: str) -> Finished:
    """Run the command with other words."""
    return shell.run("create-agent", *options(words))


def options(words: dict[str, str]) -> list[str]:
    """The usual words, but for these."""
    given = dict(zip(WORDS[0::2], WORDS[1::2], strict=True))
    given |= {f"--{name}": word for name, word in words.items()}
    return [part for pair in given.items() for part in pair]


async def test_an_agent_signs_in_by_email_and_password(seeded: Shell) -> None:
    made = seeded.run("create-agent", *WORDS, "--role", "supervisor")
    assert (made.code, made.out) == (0, "")
    assert made.err == "Eve@example.org may sign in\n"
    async with client_of(seeded) as client:
        who = {"email": "eve@example.org", "password": "correct horse"}
        agent = (await client.post("/v1/auth/sign-in", json=who)).json()["agent"]
    assert (agent["display_name"], agent["role"]) == ("Eve", "supervisor")


def test_the_password_is_asked_for_where_it_is_left_out(seeded: Shell) -> None:
    words = [*WORDS[:4]]
    asked = seeded.run("create-agent", *words, given="correct horse\nother horse\n")
    assert asked.code == 1
    assert seeded.run("create-agent", *words, given="correct horse\n" * 2).code == 0


@pytest.mark.asvs("6.4.1")
async def test_who_is_invited_chooses_the_password(seeded: Shell) -> None:
    words = WORDS[:4]
    made = seeded.run("create-agent", *words, "--invite")
    assert (made.code, made.err, made.out[:3]) == (0, "", "il_")
    body = {"token": made.out.strip(), "password": "correct horse"}
    async with client_of(seeded) as client:
        joined = await client.post("/v1/auth/links", json=body)
    assert joined.json()["agent"]["status"] == "active"
    both = CliRunner().invoke(command, [*WORDS, "--invite"])
    assert (both.exit_code, "exclude each other" in both.output) == (2, True)


def test_an_email_is_taken_once_in_whatever_letters(seeded: Shell) -> None:
    assert create(seeded).code == 0
    taken = create(seeded, email="EVE@example.org")
    assert taken.code == 1
    assert taken.err == "The e-mail is taken in this workspace\n"


@pytest.mark.parametrize(
    "words",
    [
        {"email": "nobody"},
        {"name": ""},
        {"name": "x" * 129},
        {"password": ""},
        {"password": "eleven char"},
        {"password": "qwertyuiop123"},
        {"password": "eve@example.org"},
        {"role": "king"},
    ],
)
@pytest.mark.asvs("6.2.1", "6.2.4", "6.2.11")
def test_refuses_who_could_never_sign_in(words: dict[str, str]) -> None:
    refused = CliRunner().invoke(command, options(words))
    assert refused.exit_code == 2
    assert f"'--{next(iter(words))}'" in refused.output


def test_a_workspace_must_be_there(seeded: Shell) -> None:
    missing = create(seeded, workspace="nowhere")
    assert missing.code == 1
    assert missing.err == "no such workspace, or more than one: give --workspace\n"
    assert create(seeded, workspace="demo").code == 0
