"""`chat-service health`: the check of a container."""

import pytest

from chat_service.test.cli.programs import Shell

pytestmark = pytest.mark.timeout(120)


def test_says_that_a_serving_process_lives(shell: Shell) -> None:
    with shell.serving() as lines:
        asked = shell.run("health", SERVER_PORT=lines[-1].rpartition(":")[2])
    assert (asked.code, asked.out) == (0, '{"status":"ok"}\n')


def test_fails_where_nothing_answers(bare_shell: Shell) -> None:
    asked = bare_shell.run("health", SERVER_PORT="1")
    assert (asked.code, asked.out) == (1, "")
    assert asked.err.startswith("no answer on port 1: ")
