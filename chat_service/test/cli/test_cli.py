"""The program as a whole: its commands, and what it says of a wrong configuration."""

import json

import pytest

from chat_service.cli import COMMANDS
from chat_service.test.cli.programs import Shell

pytestmark = pytest.mark.timeout(120)


def test_help_names_every_command(bare_shell: Shell) -> None:
    shown = bare_shell.run("--help", real=True)
    assert shown.code == 0
    assert all(f"\n  {name} " in shown.out for name in COMMANDS)


def test_a_command_that_is_none_is_a_usage_error(bare_shell: Shell) -> None:
    shown = bare_shell.run("sreve")
    assert (shown.code, shown.out) == (2, "")
    assert "sreve" in shown.err


def test_a_wrong_configuration_is_told_line_by_line(bare_shell: Shell) -> None:
    shown = bare_shell.run("migrate", SERVER_PROT="1", SERVER_PORT="70000")
    assert (shown.code, shown.err.splitlines()) == (
        3,
        [
            "configuration: CHAT_SERVICE_SERVER_PROT: no such setting",
            "configuration: server.port: must be 0 to 65535, not 70000",
        ],
    )
    assert list(bare_shell.folder.iterdir()) == []


def test_openapi_prints_the_document_and_needs_no_database(bare_shell: Shell) -> None:
    shown = bare_shell.run("openapi")
    assert (shown.code, shown.err) == (0, "")
    assert json.loads(shown.out)["openapi"].startswith("3.1")
