"""`chat-service create-agent`: add a member of staff."""

import sys

import click
from sqlalchemy.exc import IntegrityError

from chat_service.agents import services as agents
from chat_service.agents.passwords import Passwords
from chat_service.cli.checked import Password, checked
from chat_service.cli.database import run
from chat_service.config import load_config
from chat_service.events.transaction import transaction
from chat_service.schema import ROLE_PERMISSIONS, Role, utc_now
from chat_service.transport import Email, Name
from chat_service.workspaces import queries as workspaces


@click.command()
@click.option("--workspace", help="Its slug; may be left out where there is one workspace.")
@click.option("--email", required=True, callback=checked(Email))
@click.option("--name", required=True, callback=checked(Name))
@click.option(
    "--role", type=click.Choice([str(role) for role in ROLE_PERMISSIONS]), default="agent"
)
@click.password_option(help="Asked for where it is left out.", callback=checked(Password))
def command(workspace: str | None, email: str, name: str, role: str, password: str) -> None:
    """Add a member of staff, who signs in with e-mail and password."""
    config = load_config()

    async def create() -> None:
        hashed = await Passwords(config.auth).hash(password)
        async with transaction() as db:
            tenant = await workspaces.by_slug(db, workspace)
            if tenant is None:
                sys.exit("no such workspace, or more than one: give --workspace")
            await agents.create(
                db,
                tenant.id,
                email=email,
                name=name,
                role=Role(role),
                password_hash=hashed,
                now=utc_now(),
            )

    try:
        run(config, create)
    except IntegrityError:
        sys.exit(f"{email} is taken in this workspace")
    print(f"{email} may sign in", file=sys.stderr)
