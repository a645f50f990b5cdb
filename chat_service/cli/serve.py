"""`chat-service serve`: run the service."""

import sys
from typing import Final

import attrs
import click
from sqlalchemy.engine import make_url

from chat_service.cli.demo import FILE, Demo
from chat_service.config import Config, load_config
from chat_service.server.runner import serve, serve_child

APP: Final = "chat_service.asgi:app"
BAD_CONFIGURATION: Final = 3


@click.command()
@click.option("--host", help="Address to listen on; `*` is every address.")
@click.option("--port", type=click.IntRange(0, 65535))
@click.option(
    "--workers", type=click.IntRange(1, 256), help="Processes; more than 1 on PostgreSQL."
)
@click.option("--fd", type=int, hidden=True)
def command(host: str | None, port: int | None, workers: int | None, fd: int | None) -> None:
    """Run the service until it is told to stop."""
    config = load_config()
    if fd is not None:
        sys.exit(serve_child(APP, config.server, fd))
    server = attrs.evolve(
        config.server,
        host=host or config.server.host,
        port=config.server.port if port is None else port,
        workers=workers or config.server.workers,
    )
    if server.workers > 1 and make_url(config.database.url).get_backend_name() == "sqlite":
        print(f"--workers {server.workers} needs PostgreSQL (database.url)", file=sys.stderr)
        sys.exit(BAD_CONFIGURATION)
    sys.exit(serve(APP, server, ready=lambda url: _announce(config, url)))


def _announce(config: Config, url: str) -> None:
    """Say where the service is; in development with all a first user needs."""
    url = url.replace("127.0.0.1", "localhost")
    demo = Demo.read(FILE) if config.environment == "development" else None
    lines = demo.lines(url) if demo is not None else [f"chat-service serves on {url}"]
    print(*lines, sep="\n", file=sys.stderr, flush=True)
