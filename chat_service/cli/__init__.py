"""The program `chat-service`: one file a command, loaded when it is called.

Exit codes: 0 ok, 1 failed, 2 usage, 3 bad configuration or a database weaker than promised, 4 the
database has another schema, 130 interrupted.
"""

import importlib
import sys
from typing import Final

import click

from chat_service.config import ConfigError

COMMANDS: Final = (
    "create-agent",
    "create-inbox",
    "create-key",
    "create-workspace",
    "doctor",
    "export-audit",
    "health",
    "migrate",
    "openapi",
    "rotate-secret",
    "reset-password",
    "seed-demo",
    "serve",
)


class _Commands(click.Group):
    """Commands that are imported when they are called: Alembic and Quart take their time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"chat_service.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command


@click.group(cls=_Commands)
def cli() -> None:
    """A customer-support chat backend that keeps every acknowledged message."""


def main() -> None:
    """Run the program; a wrong configuration is told in one line for each setting."""
    try:
        cli()
    except ConfigError as error:
        for line in error.lines:
            print(f"configuration: {line}", file=sys.stderr)
        sys.exit(3)
