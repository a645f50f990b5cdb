"""`chat-service create-key`: make an API key."""

import sys
from datetime import timedelta

import click

from chat_service.agents.keys import services as keys
from chat_service.cli.checked import checked
from chat_service.cli.database import run
from chat_service.config import load_config
from chat_service.events.transaction import transaction
from chat_service.schema import Permission, utc_now
from chat_service.transport import Name
from chat_service.workspaces import queries as workspaces


@click.command()
@click.option("--workspace", help="Its slug; may be left out where there is one workspace.")
@click.option(
    "--name",
    required=True,
    callback=checked(Name),
    help="What the key is for; shown as author of its messages.",
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([str(permission) for permission in Permission]),
)
@click.option("--days", type=click.IntRange(1, 3650), default=365, help="When it expires.")
def command(workspace: str | None, name: str, scopes: tuple[str, ...], days: int) -> None:
    """Make an API key. It is printed once and cannot be shown again."""

    async def create() -> str:
        now = utc_now()
        async with transaction() as db:
            tenant = await workspaces.by_slug(db, workspace)
            if tenant is None:
                sys.exit("no such workspace, or more than one: give --workspace")
            _, text = await keys.create(
                db,
                tenant.id,
                name=name,
                scopes=[Permission(scope) for scope in scopes],
                expires_at=now + timedelta(days=days),
                now=now,
            )
            return text

    print(run(load_config(), create))
