"""`chat-service create-workspace`: make a tenant, and invite its owner."""

import sys

import click

from chat_service.agents.founding import services as founding
from chat_service.cli.checked import checked
from chat_service.cli.database import run
from chat_service.config import load_config
from chat_service.events.transaction import transaction
from chat_service.schema import utc_now
from chat_service.transport import Email, Name
from chat_service.workspaces.transport import Slug


@click.command()
@click.option(
    "--slug",
    required=True,
    callback=checked(Slug),
    help="What people sign in to: letters in lower case, digits and hyphens.",
)
@click.option("--name", required=True, callback=checked(Name))
@click.option("--owner-email", callback=checked(Email | None))
@click.option("--owner-name", callback=checked(Name | None))
def command(slug: str, name: str, owner_email: str | None, owner_name: str | None) -> None:
    """Make a workspace; print its owner's link to choose a password by, good once and for a week."""
    if (owner_email is None) is not (owner_name is None):
        raise click.UsageError("--owner-email and --owner-name belong together")

    config = load_config()

    async def create() -> str | None:
        async with transaction() as db:
            if owner_email is None or owner_name is None:
                await founding.make(db, slug=slug, name=name, now=utc_now())
                return None
            founded = await founding.found(
                db,
                config.auth,
                slug=slug,
                name=name,
                owner_email=owner_email,
                owner_name=owner_name,
                now=utc_now(),
            )
            return founded.link.text(config.server.public_url)

    link = run(config, create)
    if link is not None:
        print(link)
    else:
        line = f"{slug} has nobody yet: chat-service create-agent --workspace {slug} --role owner"
        print(line, file=sys.stderr)
