"""`chat-service seed-demo`: the first workspace, once."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

import click
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import services as agents
from chat_service.agents.founding import services as founding
from chat_service.agents.keys import services as keys
from chat_service.agents.passwords import Passwords
from chat_service.cli.database import run
from chat_service.cli.demo import FILE, Demo
from chat_service.config import Config, load_config
from chat_service.customers import services as customers
from chat_service.events.transaction import reading, transaction
from chat_service.inboxes import services as inboxes
from chat_service.inboxes.queries import inbox_key
from chat_service.schema import Permission, Role, WorkspaceId, utc_now
from chat_service.workspaces import queries as workspaces


@click.command()
@click.option(
    "--credentials",
    default=str(FILE),
    show_default=True,
    help="File (0600) for e-mail, password and keys; `-` prints them.",
)
def command(credentials: str) -> None:
    """Make the first workspace with inbox, owner, API key and customer; later runs do nothing."""
    config = load_config()
    if credentials == "-":
        demo = run(config, lambda: _seed(config))
        print(demo.text() if demo is not None else "", end="", flush=True)
        return
    path = Path(credentials)
    with _replacement(path) as file:
        demo = run(config, lambda: _seed(config))
        if demo is not None:
            file.write(demo.text())
            os.replace(file.name, path)


@contextmanager
def _replacement(path: Path) -> Iterator[IO[str]]:
    """A file (0600) to put in the place of `path`; opened first, lest the only copy has no place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        try:
            yield file
        finally:
            Path(file.name).unlink(missing_ok=True)


async def _seed(config: Config) -> Demo | None:
    async with reading() as db:
        if await workspaces.exist(db):
            return None
    password = secrets.token_urlsafe(12)
    hashed = await Passwords(config.auth).hash(password)
    async with transaction() as db:
        tenant = await founding.make(db, slug="demo", name="Demo", now=utc_now())
        return await _fill(db, tenant.id, password, hashed, _origins(config))


def _origins(config: Config) -> list[str]:
    port = config.server.port
    return [f"http://localhost:{port}", f"http://127.0.0.1:{port}"]


async def _fill(
    db: AsyncSession, workspace: WorkspaceId, password: str, hashed: str, origins: list[str]
) -> Demo:
    now = utc_now()
    inbox = await inboxes.create(db, workspace, name="Website", allowed_origins=origins, now=now)
    owner = await agents.create(
        db,
        workspace,
        email="owner@example.org",
        name="Olivia Owner",
        role=Role.OWNER,
        password_hash=hashed,
        now=now,
    )
    _, key = await keys.create(
        db,
        workspace,
        name="Demo key",
        scopes=list(Permission),
        expires_at=now + timedelta(days=365),
        now=now,
    )
    customer = await customers.create(db, inbox, name="Carla Customer", email=None, now=now)
    return Demo(
        email=owner.email,
        password=password,
        api_key=key,
        inbox_key=inbox_key(inbox),
        customer_id=str(customer.id),
    )
