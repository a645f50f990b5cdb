"""`chat-service create-inbox`: make the entry point of a site."""

import sys

import click

from chat_service.cli.checked import checked
from chat_service.cli.database import run
from chat_service.config import ORIGIN, load_config
from chat_service.events.transaction import transaction
from chat_service.inboxes import services as inboxes
from chat_service.inboxes.queries import inbox_key
from chat_service.schema import utc_now
from chat_service.transport import Name
from chat_service.workspaces import queries as workspaces


def _check_origins(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> list[str]:
    for value in values:
        if not ORIGIN.fullmatch(value):
            raise click.BadParameter(
                f"{value} is no origin: scheme, host in lower case and port, without a path"
            )
    return list(values)


@click.command()
@click.option("--workspace", help="Its slug; may be left out where there is one workspace.")
@click.option("--name", required=True, callback=checked(Name))
@click.option(
    "--origin",
    "origins",
    multiple=True,
    callback=_check_origins,
    help="A site whose pages may use it, like https://shop.example.org; may be given repeatedly.",
)
def command(workspace: str | None, name: str, origins: list[str]) -> None:
    """Make an inbox and print its public key. Without an origin no web page may use it."""

    async def create() -> str:
        async with transaction() as db:
            tenant = await workspaces.by_slug(db, workspace)
            if tenant is None:
                sys.exit("no such workspace, or more than one: give --workspace")
            inbox = await inboxes.create(
                db, tenant.id, name=name, allowed_origins=origins, now=utc_now()
            )
            return inbox_key(inbox)

    print(run(load_config(), create))
