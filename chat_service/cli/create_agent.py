"""`chat-service create-agent`: add a member of staff."""

import sys

import click
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents import accounts
from chat_service.agents import services as agents
from chat_service.agents.choice import NewPassword, check_choice
from chat_service.agents.passwords import Passwords
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import Target
from chat_service.cli.checked import checked
from chat_service.cli.database import run
from chat_service.config import Config, load_config
from chat_service.errors import ValidationFailed
from chat_service.events.transaction import transaction
from chat_service.schema import ROLE_PERMISSIONS, Role, WorkspaceId, utc_now
from chat_service.transport import Email, Name
from chat_service.workspaces import queries as workspaces


@click.command()
@click.option("--workspace", help="Its slug; may be left out where there is one workspace.")
@click.option("--email", required=True, callback=checked(Email))
@click.option("--name", required=True, callback=checked(Name))
@click.option(
    "--role", type=click.Choice([str(role) for role in ROLE_PERMISSIONS]), default="agent"
)
@click.option("--password", help="Asked for where it is left out; at least 12 characters.")
@click.option("--invite", is_flag=True, help="Print a link to choose the password by, instead.")
def command(
    workspace: str | None, email: str, name: str, role: str, password: str | None, invite: bool
) -> None:
    """Add a member of staff, who signs in with e-mail and password."""
    if invite and password is not None:
        raise click.UsageError("--invite and --password exclude each other")
    chosen = None if invite else _password(password, email)
    config = load_config()

    async def create() -> str | None:
        hashed = None if chosen is None else await Passwords(config.auth).hash(chosen)
        async with transaction() as db:
            tenant = await workspaces.by_slug(db, workspace)
            if tenant is None:
                sys.exit("no such workspace, or more than one: give --workspace")
            return await _add(db, tenant.id, config, email, name, Role(role), hashed)

    link = run(config, create)
    if link is None:
        print(f"{email} may sign in", file=sys.stderr)
    else:
        print(link)


def _password(given: str | None, email: str) -> str:
    """The password by the rule of all others; asked for where it was not given."""
    if given is None:
        given = str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    try:
        password: str = TypeAdapter(NewPassword).validate_python(given)
        check_choice(password, email)
    except ValidationError as error:
        raise click.BadParameter(error.errors()[0]["msg"], param_hint="'--password'") from None
    except ValidationFailed as error:
        raise click.BadParameter(error.errors[0].detail, param_hint="'--password'") from None
    return password


async def _add(
    db: AsyncSession,
    workspace_id: WorkspaceId,
    config: Config,
    email: str,
    name: str,
    role: Role,
    hashed: str | None,
) -> str | None:
    """Add somebody who has a password; else invite him and give his link."""
    now = utc_now()
    if hashed is None:
        _, link = await accounts.add_invited(
            db,
            workspace_id,
            audit.NOBODY,
            config.auth,
            email=email,
            name=name,
            role=role,
            now=now,
        )
        return link.text(config.server.public_url)
    agent = await agents.create(
        db, workspace_id, email=email, name=name, role=role, password_hash=hashed, now=now
    )
    target = Target("agent", agent.id)
    audit.record(db, workspace_id, audit.NOBODY, Act.AGENT_CREATED, now=now, target=target)
    return None
