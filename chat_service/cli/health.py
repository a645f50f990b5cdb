"""`chat-service health`: ask a running service, for container checks."""

import sys
import urllib.error
import urllib.request

import click

from chat_service.config import load_config


@click.command()
def command() -> None:
    """Ask the service on this machine whether it lives; exit code 0 or 1."""
    port = load_config().server.port
    try:
        with urllib.request.urlopen(f"http://localhost:{port}/health", timeout=5) as response:
            print(response.read().decode())
    except (urllib.error.URLError, OSError) as error:
        print(f"no answer on port {port}: {error}", file=sys.stderr)
        sys.exit(1)
